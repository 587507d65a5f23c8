import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";

/** How long a caller may take; over time it gets 408 and its connection is closed. Milliseconds. */
export interface HttpTimeouts {
	/** For the headers of a request. */
	readonly headersMs: number;
	/** For a request as a whole, until its body has arrived. */
	readonly uploadMs: number;
	/** Between two requests on one connection. */
	readonly keepAliveMs: number;
	/** How often the first two are looked at. */
	readonly checkMs: number;
}

/** The timeouts where nothing else is said. */
export const DEFAULT_TIMEOUTS: HttpTimeouts = {
	headersMs: 10_000,
	uploadMs: 30_000,
	keepAliveMs: 65_000,
	checkMs: 5_000,
};

const MAX_CONNECTIONS = 16_384;
const DRAIN_TIMEOUT_MS = 10_000;
const REAP_MS = 50;

/** A server of Node's with every limit set; it does not listen yet. */
export function createNodeServer(
	serve: (request: IncomingMessage, response: ServerResponse) => void,
	maxHeaderSize: number,
	timeouts: HttpTimeouts,
): Server {
	const server = createServer({
		headersTimeout: timeouts.headersMs,
		requestTimeout: timeouts.uploadMs,
		keepAliveTimeout: timeouts.keepAliveMs,
		connectionsCheckingInterval: timeouts.checkMs,
		maxHeaderSize,
		insecureHTTPParser: false,
	});
	server.maxConnections = MAX_CONNECTIONS;
	// The gate counts them: Node would drop those beyond the limit and go on without.
	server.maxHeadersCount = 0;
	server.on("request", serve);
	// Nobody is told to go on before the gate has seen the headers.
	server.on("checkContinue", serve);
	return server;
}

/** Resolves when all connections are closed: idle ones at once, the others with their answer, or cut off after 10 s. */
export async function closeNodeServer(server: Server): Promise<void> {
	const closed = new Promise((resolve) => server.close(resolve));
	// A connection whose last answer is written counts as idle only afterwards.
	const reaper = setInterval(() => server.closeIdleConnections(), REAP_MS);
	const deadline = setTimeout(() => server.closeAllConnections(), DRAIN_TIMEOUT_MS);
	await closed;
	clearInterval(reaper);
	clearTimeout(deadline);
}
