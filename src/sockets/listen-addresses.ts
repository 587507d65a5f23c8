import { type AddressInfo, BlockList, isIP, type Server } from "node:net";
import { ConfigurationError } from "../errors.js";

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");

/** Where the API listens unless told otherwise. */
export const DEFAULT_ADDRESSES: readonly string[] = ["127.0.0.1", "::1"];

const PORT_ATTEMPTS = 10;

/** Takes brackets and blanks off; nothing named means the default. */
export function listenAddresses(named: readonly string[] | undefined): readonly string[] {
	const addresses = (named ?? []).map((address) => address.trim().replace(/^\[(.*)\]$/, "$1")).filter(Boolean);
	return addresses.length === 0 ? DEFAULT_ADDRESSES : [...new Set(addresses)];
}

/** True when only this machine can reach the address. Of names only `localhost` is trusted to be such. */
export function isLoopback(address: string): boolean {
	switch (isIP(address)) {
		case 4:
			return LOOPBACK.check(address, "ipv4");
		case 6:
			return LOOPBACK.check(address, "ipv6");
		default:
			return address.toLowerCase() === "localhost";
	}
}

/** What is listened for, and the flags that choose where, for messages. */
export interface ListenerWords {
	readonly what: string;
	readonly portFlag: string;
	readonly addressFlag: string;
}

const HTTP_API: ListenerWords = {
	what: "HTTP API",
	portFlag: "--dapr-http-port",
	addressFlag: "--dapr-listen-addresses",
};

/**
 * Starts one server per address, all on the same port. Resolves with those that listen; addresses that this machine does
 * not have are left out as long as one is there. Rejects with ConfigurationError; nothing listens then.
 */
export async function listenOnAll<S extends Server>(
	addresses: readonly string[],
	port: number,
	createServer: () => S,
	words: ListenerWords = HTTP_API,
): Promise<readonly S[]> {
	for (let attempt = 1; ; attempt++) {
		try {
			return await listenOnce(addresses, port, createServer, words);
		} catch (error) {
			// Port 0: the system chose one for the first address that the second has given away.
			const again = port === 0 && attempt < PORT_ATTEMPTS && codeOf((error as Error).cause) === "EADDRINUSE";
			if (!again) throw error;
		}
	}
}

async function listenOnce<S extends Server>(
	addresses: readonly string[],
	wanted: number,
	createServer: () => S,
	words: ListenerWords,
): Promise<readonly S[]> {
	const servers: S[] = [];
	let port = wanted;
	let absent: unknown;
	for (const host of addresses) {
		const server = createServer();
		try {
			await listen(server, host, port);
			servers.push(server);
			port = addressOf(server).port;
		} catch (error) {
			if (isAbsent(error)) {
				absent = error;
				continue;
			}
			for (const started of servers) started.close();
			throw cannotListen(words, host, port, error);
		}
	}
	if (servers.length === 0) throw cannotListen(words, addresses.join(", "), wanted, absent);
	return servers;
}

function listen(server: Server, host: string, port: number): Promise<void> {
	return new Promise((resolve, reject) => {
		server.once("error", reject);
		server.listen({ host, port, ipv6Only: isIP(host) === 6 && host !== "::" }, () => {
			server.off("error", reject);
			resolve();
		});
	});
}

/** The URL of a listening server, `http://[::1]:3500`. */
export function originOf(server: Server): string {
	const { address, port } = addressOf(server);
	return `http://${isIP(address) === 6 ? `[${address}]` : address}:${port}`;
}

function addressOf(server: Server): AddressInfo {
	return server.address() as AddressInfo;
}

function isAbsent(error: unknown): boolean {
	const code = codeOf(error);
	return code === "EADDRNOTAVAIL" || code === "EAFNOSUPPORT" || code === "ENOTFOUND";
}

function cannotListen(
	{ what, portFlag, addressFlag }: ListenerWords,
	host: string,
	port: number,
	cause: unknown,
): ConfigurationError {
	const code = codeOf(cause);
	const flag = isAbsent(cause) ? addressFlag : portFlag;
	const reason = code === "EADDRINUSE" ? `port ${port} is in use` : `can't listen on port ${port} (${code})`;
	const message = `${what}: ${reason} on ${host}; choose another with ${flag}`;
	return new ConfigurationError(message, { cause, property: flag.slice(2) });
}

function codeOf(error: unknown): unknown {
	return error instanceof Error && "code" in error ? error.code : undefined;
}
