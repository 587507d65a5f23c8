import { ConfigurationError } from "../errors.js";
import { isLoopback } from "../sockets/listen-addresses.js";

/** Throws ConfigurationError when other machines can reach one of the addresses and neither a token nor a flag says that they may. */
export function checkExposure(addresses: readonly string[], hasToken: boolean, allowUnauthenticated: boolean): void {
	const open = addresses.find((address) => !isLoopback(address));
	if (open === undefined || hasToken || allowUnauthenticated) return;
	throw new ConfigurationError(
		`--dapr-listen-addresses: other machines can reach ${open}: set DAPR_API_TOKEN, or --allow-unauthenticated if that is meant`,
		{ property: "dapr-listen-addresses" },
	);
}
