import { ConfigurationError } from "../errors.js";
import type { BrokerUrl } from "../mqtt/broker-url.js";
import type { TlsSettings } from "../mqtt/connection.js";
import { MQTT3_FIELDS } from "./mqtt3-fields.js";
import type { Mqtt3Settings } from "./mqtt3-options.js";
import type { Draft } from "./mqtt3-settings.js";
import { Problems } from "./problems.js";
import { quote } from "./quote.js";
import { loadTlsMaterial, namesFile } from "./tls-material.js";

/** Whether a broker is reached over TLS. */
export function usesTls({ transport }: BrokerUrl): boolean {
	return transport === "tls" || transport === "wss";
}

/** What TLS needs, where a broker is reached over it. Files are read anew for each connection, so that certificates can be renewed. */
export function settleTls(
	draft: Draft,
	brokers: readonly BrokerUrl[] | undefined,
	problems: Problems,
	now: number,
): Pick<Mqtt3Settings, "tls" | "readTls"> {
	// Where the address is wrong, TLS may have been meant: say what is wrong with that too.
	if (brokers?.some(usesTls) === false) return {};
	for (const protocol of draft.alpn ?? []) {
		const bytes = Buffer.byteLength(protocol);
		if (bytes < 1 || bytes > 255) problems.add("alpn", `${quote(protocol)} is not a protocol: expected 1 to 255 bytes`);
	}
	const tls = load(draft, problems, now);
	const isFromFile = [draft.caCert, draft.clientCert, draft.clientKey].some((source) => source && namesFile(source));
	return { tls, ...(isFromFile && { readTls: () => loadAgain(draft) }) };
}

function load(draft: Draft, problems: Problems, now: number): TlsSettings {
	return {
		...loadTlsMaterial(draft, problems, now),
		...(draft.tlsServerName !== undefined && { serverName: draft.tlsServerName }),
		...(draft.alpn?.length && { alpn: draft.alpn }),
		insecureSkipVerify: draft.insecureSkipVerify ?? MQTT3_FIELDS.insecureSkipVerify.default,
	};
}

function loadAgain(draft: Draft): TlsSettings {
	const problems = new Problems();
	const tls = load(draft, problems, Date.now());
	const [first] = problems.all;
	if (first === undefined) return tls;
	const message = problems.all.map(({ field, reason }) => `${field} ${reason ?? "is missing"}`).join("; ");
	throw new ConfigurationError(message, { property: first.field });
}
