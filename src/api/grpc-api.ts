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
const DRAIN_MS = 10_000;
/** Between the last answers and the end of the connections. */
const FLUSH_MS = 1_000;

export interface GrpcApiOptions extends DaprServiceOptions, Omit<CallAdmissionOptions, "isAuthentic"> {
	readonly authentication: Authentication;
}

/** The gRPC API of one sidecar, for connections that others accept. Loading this module loads gRPC. */
export class GrpcApi implements ConnectionTaker {
	readonly #admission: CallAdmission;
	readonly #server: GrpcServer;

	constructor(options: GrpcApiOptions) {
		const { authentication, sidecar, maxBodySize } = options;
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

	/** Takes no new call, waits up to 10 s for open ones, then tells their callers that it stops. */
	async close(): Promise<void> {
		this.#admission.endStreams();
		const timer = setTimeout(() => this.#admission.endAll(), DRAIN_MS);
		await this.#server.close(DRAIN_MS + FLUSH_MS);
		clearTimeout(timer);
	}
}
