import { createGrpcEndpoint, type GrpcEndpointOptions } from "../../src/api/grpc-endpoint.js";
import { Sidecar, type SidecarOptions } from "../../src/api/sidecar.js";
import { renderReady } from "../../src/diagnostics/health.js";
import { GrpcCaller } from "./grpc-caller.js";
import { ScriptedRuntime } from "./start-api.js";

/** The gRPC API over a scripted runtime, listening on a free port, and a client of it. */
export interface GrpcApiUnderTest extends AsyncDisposable {
	readonly targets: readonly string[];
	readonly port: number;
	readonly runtime: ScriptedRuntime;
	readonly caller: GrpcCaller;
	/** `force` of each shutdown that was asked for. */
	readonly shutdowns: readonly boolean[];
	/** What the server told of as unforeseen. */
	readonly errors: readonly unknown[];
	close(): Promise<void>;
}

export async function startGrpcApi(
	options: Partial<GrpcEndpointOptions> = {},
	sidecarOptions: Partial<SidecarOptions> = {},
): Promise<GrpcApiUnderTest> {
	const runtime = new ScriptedRuntime();
	const shutdowns: boolean[] = [];
	const errors: unknown[] = [];
	const sidecar = new Sidecar({
		appId: "shop",
		runtime,
		runtimeVersion: "1.2.3",
		readiness: (detail) => renderReady(runtime.health(), { detail }),
		onShutdown: (force) => shutdowns.push(force),
		...sidecarOptions,
	});
	const endpoint = createGrpcEndpoint({ sidecar, port: 0, onError: (error) => errors.push(error), ...options });
	const targets = await endpoint.listen();
	const caller = new GrpcCaller(targets[0]!);
	return {
		targets,
		port: Number(/\d+$/.exec(targets[0]!)?.[0]),
		runtime,
		caller,
		shutdowns,
		errors,
		close: () => endpoint.close(),
		async [Symbol.asyncDispose]() {
			caller[Symbol.dispose]();
			await endpoint.close();
		},
	};
}
