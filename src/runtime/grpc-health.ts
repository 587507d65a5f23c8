import { Metadata, type StatusObject, status } from "@grpc/grpc-js";
import { AppCallbackHealthCheckService } from "../gen/dapr/proto/runtime/v1/appcallback.js";
import { GrpcCall } from "./grpc-call.js";
import { type GrpcAddress, GrpcConnection, isLost } from "./grpc-connection.js";
import { describeFailure, describeStatus, isFromApp } from "./grpc-failure.js";
import type { AppHealth } from "./health-probe.js";

const { path } = AppCallbackHealthCheckService.healthCheck;
const message = Buffer.alloc(0);

/**
 * Asks an app over gRPC whether it is well. Each probe has a connection of its own: no delivery stands before it, and it finds out whether the
 * app still takes connections.
 */
export class GrpcHealth implements AppHealth {
	readonly #address: GrpcAddress;
	readonly #timeoutMs: number;
	#lastError: string | undefined;

	constructor(address: GrpcAddress, timeoutMs: number) {
		this.#address = address;
		this.#timeoutMs = timeoutMs;
	}

	get lastError(): string | undefined {
		return this.#lastError;
	}

	async ask(signal: AbortSignal): Promise<boolean> {
		const failure = signal.aborted ? "failed: given up" : await this.#failure(signal);
		this.#lastError = failure && `HealthCheck ${failure}`;
		return failure === undefined;
	}

	#failure(signal: AbortSignal): Promise<string | undefined> {
		return new Promise((resolve) => {
			const connection = new GrpcConnection(this.#address);
			const end = (failure: string | undefined) => {
				clearTimeout(timer);
				signal.removeEventListener("abort", abort);
				connection.close();
				resolve(failure);
			};
			const abort = () => end("failed: given up");
			const late = () => end(`failed: no answer within ${this.#timeoutMs} ms`);
			const timer = setTimeout(late, this.#timeoutMs);
			signal.addEventListener("abort", abort, { once: true });
			const onEnd = (call: GrpcCall, ended: StatusObject) => {
				if (ended.code === status.OK) end(undefined);
				else if (isFromApp(ended, call.isAnswering, isLost(call.channel))) end(`answered ${describeStatus(ended)}`);
				else end(`failed: ${describeFailure(ended)}`);
			};
			new GrpcCall(connection, { path, metadata: new Metadata(), message }, onEnd);
		});
	}
}
