import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { listenOnAll, originOf } from "../sockets/listen-addresses.js";
import { BrowserDefence } from "./browser-defence.js";
import { answer, answerText } from "./http-answer.js";
import { closeNodeServer, createNodeServer, DEFAULT_TIMEOUTS } from "./node-server.js";

const MAX_CONNECTIONS = 256;
const MAX_HEADER_SIZE = 8 * 1024;
const WORDS = { what: "metrics", portFlag: "--metrics-port", addressFlag: "--metrics-listen-address" };
/** daprd answers on every path; Kubernetes' annotations name the first of these unless told otherwise. */
const PATHS: ReadonlySet<string> = new Set(["/", "/metrics"]);

export interface MetricsServerOptions {
	/** 0: one that is free. */
	readonly port: number;
	/** IPv6 without brackets. */
	readonly address: string;
	/** Names that `Host` may carry beside localhost and IP addresses. */
	readonly allowedHosts: readonly string[];
	/** Everything that can be scraped. */
	readonly scrape: () => Promise<{ readonly contentType: string; readonly text: string }>;
	/** Told of failures that nobody foresaw; the caller sees 500. */
	readonly onError: (error: unknown) => void;
}

/** Serves metrics on a port of their own. */
export interface MetricsServer {
	/** `http://127.0.0.1:9090/metrics`. */
	readonly url: string;
	readonly port: number;
	/** Idempotent. */
	close(): Promise<void>;
}

/** Starts to serve metrics. Rejects with ConfigurationError when the port can't be had. */
export async function startMetricsServer(options: MetricsServerOptions): Promise<MetricsServer> {
	const defence = new BrowserDefence(options.allowedHosts, [], false);
	const serve = (request: IncomingMessage, response: ServerResponse) =>
		void answerScrape(request, response, defence, options);
	const create = () => {
		const server = createNodeServer(serve, MAX_HEADER_SIZE, DEFAULT_TIMEOUTS);
		server.maxConnections = MAX_CONNECTIONS;
		return server;
	};
	const [server] = (await listenOnAll([options.address], options.port, create, WORDS)) as [Server];
	const origin = originOf(server);
	return { url: `${origin}/metrics`, port: Number(new URL(origin).port || 80), close: () => closeNodeServer(server) };
}

async function answerScrape(
	request: IncomingMessage,
	response: ServerResponse,
	defence: BrowserDefence,
	{ scrape, onError }: MetricsServerOptions,
): Promise<void> {
	const refusal = defence.check(request);
	if (refusal !== undefined) return answerText(request, response, refusal.status, refusal.text);
	if (request.method !== "GET" && request.method !== "HEAD") {
		response.setHeader("Allow", "GET, HEAD");
		return answerText(request, response, 405, "metrics are read with GET");
	}
	const [path = ""] = (request.url ?? "").split("?", 1);
	if (!PATHS.has(path)) return answerText(request, response, 404, "metrics are at /metrics");
	try {
		const { contentType, text } = await scrape();
		answer(request, response, 200, contentType, text);
	} catch (error) {
		onError(error);
		answerText(request, response, 500, "internal error");
	}
}
