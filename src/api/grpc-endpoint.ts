import type { Server } from "node:net";
import { LazyListener } from "../grpc/lazy-listener.js";
import { KeptSocketFile } from "../sockets/kept-socket-file.js";
import { listenAddresses, listenOnAll, originOf } from "../sockets/listen-addresses.js";
import { type ApiToken, Authentication } from "./authentication.js";
import { checkExposure } from "./exposure.js";
import type { GrpcApi } from "./grpc-api.js";
import type { GrpcCall } from "./grpc-call.js";
import { MAX_UPLOADED_BYTES, RequestBudget } from "./request-budget.js";
import type { Sidecar } from "./sidecar.js";

const DEFAULT_MAX_BODY_SIZE = 4 * 1024 * 1024;
/** Each carries up to 100 calls at once. */
const MAX_CONNECTIONS = 1_024;
const WORDS = { what: "gRPC API", portFlag: "--dapr-grpc-port", addressFlag: "--dapr-listen-addresses" };

/** What the gRPC API is to be like. Sizes in bytes. */
export interface GrpcEndpointOptions {
	readonly sidecar: Sidecar;
	/** `--dapr-grpc-port`; 0: one that is free, the same on all addresses. */
	readonly port: number;
	/** `--unix-domain-socket`: a file to answer on in place of port and addresses. Absent: TCP. */
	readonly socketPath?: string | undefined;
	/** `--dapr-listen-addresses`; IPv6 with or without brackets. Default 127.0.0.1 and ::1. */
	readonly listenAddresses?: readonly string[] | undefined;
	/** `DAPR_API_TOKEN` or `DAPR_API_TOKEN_FILE`. Absent: whoever reaches the port may use it. */
	readonly token?: ApiToken | undefined;
	/** `--allow-unauthenticated`: an address that other machines can reach needs no token. Default false. */
	readonly allowUnauthenticated?: boolean | undefined;
	/** `--max-body-size`, of an InvokeBinding's data. Default 4 MiB; at most 256 MiB, more than MQTT can carry. */
	readonly maxBodySize?: number | undefined;
	/** How much callers may do at once before they get RESOURCE_EXHAUSTED; default: a budget of its own. */
	readonly budget?: RequestBudget | undefined;
	/** How long a message may take to arrive, and how often that is looked at, in milliseconds. Default 30 s and 5 s. */
	readonly uploadMs?: number | undefined;
	readonly checkMs?: number | undefined;
	/** How long close() waits for open calls, in milliseconds. Default 10 s. */
	readonly drainMs?: number | undefined;
	/** `--enable-api-logging`: told of every call that showed the token, when it has ended. */
	readonly onCall?: ((call: GrpcCall) => void) | undefined;
	/** Told of failures that nobody foresaw; the caller sees INTERNAL `internal error`. */
	readonly onError?: ((error: unknown) => void) | undefined;
	/** Told of what is unsafe where it listens. */
	readonly onWarning?: ((message: string) => void) | undefined;
}

/** Where the gRPC API of one sidecar is reached. */
export interface GrpcEndpoint {
	/**
	 * Resolves with gRPC's names of the places it answers on, `127.0.0.1:50001` or `unix:/run/dapr-shop-grpc.socket`. Rejects with
	 * ConfigurationError when the port or the file can't be had.
	 */
	listen(): Promise<readonly string[]>;
	/** Takes no new connection, waits for open calls up to `drainMs`, then tells their callers what is known and cuts them off. Idempotent. */
	close(): Promise<void>;
}

/** Makes the gRPC API; nothing listens yet, and gRPC itself is loaded with the first connection. Throws ConfigurationError for options that can't be meant. */
export function createGrpcEndpoint(options: GrpcEndpointOptions): GrpcEndpoint {
	const { sidecar, socketPath, onError = () => undefined } = options;
	const addresses = socketPath === undefined ? listenAddresses(options.listenAddresses) : [];
	const authentication = new Authentication(options.token);
	checkExposure(addresses, authentication.isRequired, options.allowUnauthenticated ?? false);
	let api: GrpcApi | undefined;
	const listener = new LazyListener(async () => {
		const module = await import("./grpc-api.js");
		api = new module.GrpcApi({
			sidecar,
			authentication,
			maxBodySize: Math.min(options.maxBodySize ?? DEFAULT_MAX_BODY_SIZE, MAX_UPLOADED_BYTES),
			trustsCallers: authentication.isRequired || socketPath !== undefined,
			budget: options.budget ?? new RequestBudget(),
			uploadMs: options.uploadMs,
			checkMs: options.checkMs,
			drainMs: options.drainMs,
			onCall: options.onCall,
			onError,
		});
		return api;
	}, onError);
	const create = () => listener.createServer(MAX_CONNECTIONS);
	let servers: readonly Server[] = [];
	let socketFile: KeptSocketFile<Server> | undefined;
	return {
		async listen() {
			try {
				if (socketPath !== undefined) {
					socketFile = await KeptSocketFile.open(
						{ path: socketPath, flag: "--unix-domain-socket" },
						create,
						options.onWarning ?? (() => undefined),
					);
					return [`unix:${socketPath}`];
				}
				servers = await listenOnAll(addresses, options.port, create, WORDS);
				return servers.map((server) => originOf(server).slice("http://".length));
			} catch (error) {
				authentication.close();
				throw error;
			}
		},
		async close() {
			authentication.close();
			await socketFile?.remove();
			const closed = [...servers, ...(socketFile?.servers ?? [])].map(untilClosed);
			// Those that are being handed over while it loads come before this.
			if (listener.isLoading) await listener.load().catch(() => undefined);
			await api?.close();
			await Promise.all(closed);
		},
	};
}

/** Takes no more connections; resolves when the last one has ended. */
function untilClosed(server: Server): Promise<void> {
	return new Promise((resolve) => server.close(() => resolve()));
}
