import type { Socket } from "node:net";
import { GrpcServer } from "../grpc/grpc-server.js";
import type { ConnectionTaker } from "../grpc/lazy-listener.js";
import type { Authentication } from "./authentication.js";
import { CallAdmission, type CallAdmissionOptions } from "./call-admission.js";
import { DAPR_SERVICE, type DaprServiceOptions, daprService } from "./dapr-service.js";
import { healthService } from "./health-service.js";

/** What a message needs beside its data: names, metadata. */
const ENVELOPE_BYTES = 64 * 1024;
const MAX_STREAMS = 100;
/** As daprd. */
const MAX_IDLE_MS = 3 * 60_000;
/** As the HTTP API. */
const DRAIN_MS = 10_000;
/** Between the last answers and the end of the connections. */
const FLUSH_MS = 1_000;

export interface GrpcApiOptions extends DaprServiceOptions, Omit<CallAdmissionOptions, "isAuthentic"> {
	readonly authentication: Authentication;
	/** How long close() waits for open calls, in milliseconds. Default 10 s. */
	readonly drainMs?: number | undefined;
}

/** The gRPC API of one sidecar, for connections that others accept. Loading this module loads gRPC. */
export class GrpcApi implements ConnectionTaker {
	readonly #admission: CallAdmission;
	readonly #server: GrpcServer;
	readonly #drainMs: number;

	constructor(options: GrpcApiOptions) {
		const { authentication, sidecar, maxBodySize, drainMs = DRAIN_MS } = options;
		this.#drainMs = drainMs;
		this.#admission = new CallAdmission({
			...options,
			isAuthentic: (metadata) => authentication.isAuthenticCall(metadata),
		});
		this.#server = new GrpcServer({
			services: [
				daprService(options),
				healthService({ isServing: () => sidecar.isOutboundReady, services: [DAPR_SERVICE] }),
			],
			maxMessageSize: maxBodySize + ENVELOPE_BYTES,
			maxStreams: MAX_STREAMS,
			maxIdleMs: MAX_IDLE_MS,
			interceptors: [this.#admission.interceptor],
		});
	}

	take(socket: Socket): void {
		this.#server.take(socket);
	}

	/** Takes no new call, waits for open ones up to `drainMs`, then tells their callers what is known. */
	async close(): Promise<void> {
		this.#admission.endStreams();
		const timer = setTimeout(() => this.#admission.endAll(), this.#drainMs);
		await this.#server.close(this.#drainMs + FLUSH_MS);
		clearTimeout(timer);
	}
}
