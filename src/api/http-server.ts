import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { type FastifyInstance, fastify } from "fastify";
import { KeptSocketFile } from "../sockets/kept-socket-file.js";
import { listenAddresses, listenOnAll, originOf } from "../sockets/listen-addresses.js";
import { type ApiToken, Authentication } from "./authentication.js";
import { BrowserDefence } from "./browser-defence.js";
import { ConnectionSignals } from "./connection-signal.js";
import { checkExposure } from "./exposure.js";
import { Gate } from "./gate.js";
import { addRoutes } from "./http-routes.js";
import { closeNodeServer, createNodeServer, DEFAULT_TIMEOUTS, type HttpTimeouts } from "./node-server.js";
import { MAX_UPLOADED_BYTES, RequestBudget } from "./request-budget.js";
import type { Sidecar } from "./sidecar.js";

const DEFAULT_MAX_BODY_SIZE = 4 * 1024 * 1024;
const DEFAULT_MAX_HEADER_SIZE = 8 * 1024;

/** What the HTTP API is to be like. Sizes in bytes. */
export interface HttpServerOptions {
	readonly sidecar: Sidecar;
	/** `--dapr-http-port`; 0: one that is free, the same on all addresses. */
	readonly port: number;
	/** `--unix-domain-socket`: a file to answer on in place of port and addresses. Absent: TCP. */
	readonly socketPath?: string | undefined;
	/** `--dapr-listen-addresses`; IPv6 with or without brackets. Default 127.0.0.1 and ::1. */
	readonly listenAddresses?: readonly string[] | undefined;
	/** `DAPR_API_TOKEN` or `DAPR_API_TOKEN_FILE`. Absent: whoever reaches the port may use it. */
	readonly token?: ApiToken | undefined;
	/** `--allow-unauthenticated`: an address that other machines can reach needs no token. Default false. */
	readonly allowUnauthenticated?: boolean | undefined;
	/** `--allowed-hosts`: names that `Host` may carry beside localhost and IP addresses. */
	readonly allowedHosts?: readonly string[] | undefined;
	/** `--allowed-origins`: origins whose pages may use the API. */
	readonly allowedOrigins?: readonly string[] | undefined;
	/** `--max-body-size`. Default 4 MiB; at most 256 MiB, more than MQTT can carry. */
	readonly maxBodySize?: number | undefined;
	/** `--read-buffer-size`: request line and headers together. Default 8 KiB. */
	readonly maxHeaderSize?: number | undefined;
	/** How much callers may do at once before they get 503; default: a budget of its own. */
	readonly budget?: RequestBudget | undefined;
	/** Default 10 s, 30 s, 65 s, looked at every 5 s. */
	readonly timeouts?: HttpTimeouts | undefined;
	/** `--enable-api-logging`: told of every request that passed the gate, when it was answered. */
	readonly onRequest?: ((call: ApiCall) => void) | undefined;
	/** Told of failures that nobody foresaw; the caller sees 500 `internal error`. */
	readonly onError?: ((error: unknown) => void) | undefined;
	/** Told of what is unsafe where it listens. */
	readonly onWarning?: ((message: string) => void) | undefined;
}

/** One request, for the log. */
export interface ApiCall {
	readonly method: string;
	/** In canonical form, without the query. */
	readonly path: string;
	readonly status: number;
	readonly elapsedMs: number;
}

/** The HTTP API of one sidecar. */
export interface HttpServer {
	/**
	 * Resolves with the URLs it answers on, `http://127.0.0.1:3500` or `unix:/run/dapr-shop-http.socket`. Rejects with
	 * ConfigurationError when the port or the file can't be had.
	 */
	listen(): Promise<readonly string[]>;
	/** Takes no new connection, waits up to 10 s for open requests, then cuts them off. Idempotent. */
	close(): Promise<void>;
}

/** Makes the HTTP API; nothing listens yet. Throws ConfigurationError for options that can't be meant. */
export function createHttpServer(options: HttpServerOptions): HttpServer {
	const { socketPath } = options;
	const addresses = socketPath === undefined ? listenAddresses(options.listenAddresses) : [];
	const authentication = new Authentication(options.token);
	const hasToken = authentication.isRequired;
	checkExposure(addresses, hasToken, options.allowUnauthenticated ?? false);
	const gate = new Gate(
		authentication,
		new BrowserDefence(options.allowedHosts ?? [], options.allowedOrigins ?? [], hasToken),
	);
	const app = createApp();
	addRoutes(app, {
		sidecar: options.sidecar,
		budget: options.budget ?? new RequestBudget(),
		signals: new ConnectionSignals(),
		maxBodySize: Math.min(options.maxBodySize ?? DEFAULT_MAX_BODY_SIZE, MAX_UPLOADED_BYTES),
		trustsCallers: hasToken || socketPath !== undefined,
		isAnonymous: (request) => gate.isAnonymous(request),
		onError: options.onError ?? (() => undefined),
	});
	const serve = (request: IncomingMessage, response: ServerResponse): void => {
		if (!gate.admits(request, response)) return;
		if (options.onRequest !== undefined) announce(request, response, options.onRequest);
		app.routing(request, response);
	};
	const create = () =>
		createNodeServer(serve, options.maxHeaderSize ?? DEFAULT_MAX_HEADER_SIZE, options.timeouts ?? DEFAULT_TIMEOUTS);
	let servers: readonly Server[] = [];
	let socketFile: KeptSocketFile<Server> | undefined;
	return {
		async listen() {
			try {
				await app.ready();
				if (socketPath !== undefined) {
					socketFile = await KeptSocketFile.open(
						{ path: socketPath, flag: "--unix-domain-socket" },
						create,
						options.onWarning ?? (() => undefined),
					);
					return [`unix:${socketPath}`];
				}
				servers = await listenOnAll(addresses, options.port, create);
				return servers.map(originOf);
			} catch (error) {
				authentication.close();
				throw error;
			}
		},
		async close() {
			authentication.close();
			await socketFile?.remove();
			await Promise.all([...servers, ...(socketFile?.servers ?? [])].map(closeNodeServer));
			await app.close();
		},
	};
}

/** The router. It sees canonical paths only, and never touches a body. */
function createApp(): FastifyInstance {
	const app = fastify({
		logger: false,
		exposeHeadRoutes: false,
		requestIdHeader: false,
		genReqId: () => "",
		routerOptions: { maxParamLength: 64 * 1024 },
		// No route has a schema; without this fastify loads ajv and its serializer, a quarter of the time to start.
		schemaController: { compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas } },
	});
	app.addHttpMethod("POST", { hasBody: false, overrideExisting: true });
	app.addHttpMethod("PUT", { hasBody: false, overrideExisting: true });
	return app;
}

function announce(request: IncomingMessage, response: ServerResponse, onRequest: (call: ApiCall) => void): void {
	const startedAt = performance.now();
	const { method = "", url = "" } = request;
	const [path = ""] = url.split("?", 1);
	response.once("close", () => {
		onRequest({ method, path, status: response.statusCode, elapsedMs: performance.now() - startedAt });
	});
}

function noSchemas(): never {
	throw new Error("routes of this server have no schemas");
}
