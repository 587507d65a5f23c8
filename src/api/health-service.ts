import type { ServerUnaryCall, ServerWritableStream, sendUnaryData } from "@grpc/grpc-js";
import {
	type HealthCheckRequest,
	type HealthCheckResponse,
	HealthService,
	HealthCheckResponse_ServingStatus as ServingStatus,
} from "../gen/grpc/health/v1/health.js";
import type { GrpcService } from "../grpc/grpc-server.js";
import { GrpcStatus } from "../grpc/grpc-status.js";

/** Health changes seldom, and nobody tells of it. */
const LOOK_EVERY_MS = 250;
const MAX_WATCHERS = 256;

type WatchCall = ServerWritableStream<HealthCheckRequest, HealthCheckResponse>;

export interface HealthServiceOptions {
	/** Callers may begin. Cheap. */
	readonly isServing: () => boolean;
	/** The services that can be asked about, with their package; the empty name stands for all of them. */
	readonly services: readonly string[];
}

/** gRPC's health service. One timer looks for all that watch; without any there is none. */
export function healthService({ isServing, services }: HealthServiceOptions): GrpcService {
	const known: ReadonlySet<string> = new Set(["", ...services]);
	const watchers = new Map<WatchCall, ServingStatus>();
	let timer: NodeJS.Timeout | undefined;
	const now = () => (isServing() ? ServingStatus.SERVING : ServingStatus.NOT_SERVING);

	const look = (): void => {
		const status = now();
		for (const [call, told] of watchers) {
			// One that does not read what it was told learns of the latest later.
			if (told === status || call.writableLength > 0) continue;
			watchers.set(call, status);
			call.write({ status });
		}
	};
	const leave = (call: WatchCall): void => {
		watchers.delete(call);
		if (watchers.size > 0) return;
		clearInterval(timer);
		timer = undefined;
	};

	return {
		name: "grpc.health.v1.Health",
		definition: HealthService,
		implementation: {
			check(
				call: ServerUnaryCall<HealthCheckRequest, HealthCheckResponse>,
				answer: sendUnaryData<HealthCheckResponse>,
			) {
				const { service } = call.request;
				if (known.has(service)) answer(null, { status: now() });
				else
					answer({ code: GrpcStatus.NOT_FOUND, details: `unknown service ${JSON.stringify(service.slice(0, 100))}` });
			},
			watch(call: WatchCall) {
				if (!known.has(call.request.service)) {
					// It stays open: the service might come. Here none does.
					call.write({ status: ServingStatus.SERVICE_UNKNOWN });
					return;
				}
				if (watchers.size >= MAX_WATCHERS) {
					call.emit("error", { code: GrpcStatus.RESOURCE_EXHAUSTED, details: `more than ${MAX_WATCHERS} watchers` });
					return;
				}
				watchers.set(call, now());
				call.once("close", () => leave(call));
				call.write({ status: now() });
				timer ??= setInterval(look, LOOK_EVERY_MS).unref();
			},
		},
	};
}
