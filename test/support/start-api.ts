import { createHttpServer, type HttpServerOptions } from "../../src/api/http-server.js";
import { Sidecar, type SidecarOptions } from "../../src/api/sidecar.js";
import type { Cancellation, InvokeRequest, InvokeResponse } from "../../src/bindings/binding.js";
import { renderReady } from "../../src/diagnostics/health.js";
import { NotFoundError } from "../../src/errors.js";
import type { RuntimeHealth } from "../../src/runtime/runtime.js";

export const READY: RuntimeHealth = { ready: true, outboundReady: true, started: true, reasons: [] };

/** A runtime with one output binding, `orders`, that does what the test says and keeps what it was given. */
export class ScriptedRuntime {
	readonly invocations: InvokeRequest[] = [];
	state = READY;
	answer: (request: InvokeRequest, signal: Cancellation | undefined) => Promise<InvokeResponse | undefined> =
		async () => undefined;
	readonly components = [
		{ name: "orders", type: "bindings.mqtt3", version: "v1", capabilities: ["INPUT_BINDING", "OUTPUT_BINDING"] },
	];

	async invokeBinding(name: string, request: InvokeRequest, signal?: Cancellation) {
		if (request.operation === "") {
			throw new NotFoundError("operation field is missing from request", { kind: "operation", missing: "" });
		}
		if (name !== "orders") {
			throw new NotFoundError(`couldn't find output binding ${name}`, { kind: "binding", missing: name });
		}
		if (request.operation !== "create") {
			const { operation } = request;
			const message = `binding ${name} does not support operation ${operation}. supported operations:create`;
			throw new NotFoundError(message, { kind: "operation", missing: operation });
		}
		this.invocations.push(request);
		return await this.answer(request, signal);
	}

	health(): RuntimeHealth {
		return this.state;
	}
}

/** The HTTP API over a scripted runtime, listening on a free port. */
export interface ApiUnderTest extends AsyncDisposable {
	readonly url: string;
	readonly urls: readonly string[];
	readonly port: number;
	readonly runtime: ScriptedRuntime;
	/** `force` of each shutdown that was asked for. */
	readonly shutdowns: readonly boolean[];
	/** What the server told of as unforeseen. */
	readonly errors: readonly unknown[];
	close(): Promise<void>;
	/** `POST /v1.0/bindings/<name>` */
	post(name: string, body: string | Uint8Array, headers?: Readonly<Record<string, string>>): Promise<Response>;
	fetch(path: string, init?: RequestInit): Promise<Response>;
}

export async function startApi(
	options: Partial<HttpServerOptions> = {},
	sidecarOptions: Partial<SidecarOptions> = {},
): Promise<ApiUnderTest> {
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
	const server = createHttpServer({ sidecar, port: 0, onError: (error) => errors.push(error), ...options });
	const urls = await server.listen();
	const [url = ""] = urls;
	const call = (path: string, init?: RequestInit) => fetch(url + path, init);
	return {
		url,
		urls,
		port: Number(new URL(url).port),
		runtime,
		shutdowns,
		errors,
		close: () => server.close(),
		post: (name, body, headers = {}) => call(`/v1.0/bindings/${name}`, { method: "POST", body, headers }),
		fetch: call,
		[Symbol.asyncDispose]: () => server.close(),
	};
}
