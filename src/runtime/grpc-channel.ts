import { Metadata } from "@grpc/grpc-js";
import { ACCEPTED, type ReadResponse } from "../bindings/binding.js";
import { AppError, ConfigurationError } from "../errors.js";
import {
	AppCallbackService,
	BindingEventRequest,
	BindingEventResponse,
	BindingEventResponse_BindingEventConcurrency as Concurrency,
	ListInputBindingsResponse,
} from "../gen/dapr/proto/runtime/v1/appcallback.js";
import type { AppChannel, AppVerdict } from "./app-channel.js";
import { AppPort } from "./app-port.js";
import { askInTime } from "./ask-in-time.js";
import { isHeaderToken } from "./event-headers.js";
import { ExchangePool } from "./exchange-pool.js";
import { GrpcCarrier } from "./grpc-carrier.js";
import { type GrpcAddress, GrpcConnection } from "./grpc-connection.js";
import { describeGrpc, type GrpcExchange } from "./grpc-exchange.js";
import { GrpcHealth } from "./grpc-health.js";
import { SharedCheck } from "./shared-check.js";

export interface GrpcChannelOptions {
	/** The app's host name or IP address; an IPv6 literal without brackets. */
	readonly host: string;
	readonly port: number;
	/** `grpcs`: TLS; certificates are not verified, as in Dapr. Default `grpc`. */
	readonly protocol?: "grpc" | "grpcs";
	/** Sent with every event as the metadata `dapr-api-token`. */
	readonly appToken?: string | undefined;
	/** How many events may be at the app at once; more wait here. Absent, 0 or less: 1,024. */
	readonly maxConcurrency?: number | undefined;
	/** How long the app may take to answer ListInputBindings. Default 3 s. */
	readonly optionsTimeoutMs?: number | undefined;
	/** How long the app may take to answer HealthCheck. Default 500 ms. */
	readonly healthTimeoutMs?: number | undefined;
}

const defaultOptionsTimeoutMs = 3_000;
const defaultHealthTimeoutMs = 500;

const noMessage = Buffer.alloc(0);
const noMetadata = new Metadata();

/** The way to an app that speaks gRPC: no retries, no proxies, no deadlines. Throws ConfigurationError when the token can't be sent. */
export function createGrpcChannel(options: GrpcChannelOptions): AppChannel {
	if (options.appToken !== undefined && !isHeaderToken(options.appToken)) {
		throw new ConfigurationError("the app's token holds characters that gRPC can't carry; expected visible ASCII", {
			property: "APP_API_TOKEN",
		});
	}
	return new GrpcChannel(options);
}

class GrpcChannel implements AppChannel {
	readonly address: string;
	readonly #port: AppPort;
	readonly #connection: GrpcConnection;
	readonly #pool: ExchangePool<GrpcExchange>;
	readonly #health: GrpcHealth;
	readonly #metadata = new Metadata();
	readonly #optionsTimeoutMs: number;
	/** All components ask at the same moment, when the app comes: one answer is enough for them. */
	readonly #bindings = new SharedCheck(() => this.#listBindings());
	#listsBindings = true;
	readonly #closed = new AbortController();
	#closing: Promise<void> | undefined;

	constructor(options: GrpcChannelOptions) {
		const { host, port, protocol = "grpc", appToken, maxConcurrency } = options;
		this.address = `${host.includes(":") ? `[${host}]` : host}:${port}`;
		const address: GrpcAddress = { host, port, tls: protocol === "grpcs" };
		this.#port = new AppPort(address);
		this.#connection = new GrpcConnection(address);
		this.#health = new GrpcHealth(address, options.healthTimeoutMs ?? defaultHealthTimeoutMs);
		this.#optionsTimeoutMs = options.optionsTimeoutMs ?? defaultOptionsTimeoutMs;
		if (appToken !== undefined) this.#metadata.set("dapr-api-token", appToken);
		this.#pool = new ExchangePool({
			maxConcurrency,
			open: (listener) => new GrpcCarrier(this.#connection, listener),
			port: this.#port,
			describe: describeGrpc,
		});
	}

	get connectError(): string | undefined {
		return this.#port.lastError?.message ?? this.#connection.lastError;
	}

	get healthError(): string | undefined {
		return this.#health.lastError;
	}

	waitForPort(signal: AbortSignal): Promise<void> {
		return this.#port.waitUntilOpen(signal);
	}

	isPortOpen(): Promise<boolean> {
		return this.#port.isOpen();
	}

	untilHangUp(signal: AbortSignal): Promise<void> {
		return this.#port.untilHangUp(signal);
	}

	isHealthy(signal: AbortSignal): Promise<boolean> {
		return this.#health.ask(signal);
	}

	/**
	 * dapr: pkg/runtime/processor/binding/send.go compares names as they are. The official JavaScript SDK lists them in lower case and
	 * finds its handler by the name in lower case: with daprd, a component with a capital in its name is never read for such an app.
	 */
	async isSubscribed(name: string, _route: string, signal: AbortSignal): Promise<boolean> {
		const givenUp = () => new AppError(`${this.#question} got no answer`, { outcome: "none" });
		if (signal.aborted) throw givenUp();
		const bindings = await orAborted(this.#bindings.run(), signal, givenUp);
		return bindings.has(name) || bindings.has(name.toLowerCase());
	}

	describeNo(name: string): string {
		if (!this.#listsBindings) return "it has no ListInputBindings (UNIMPLEMENTED)";
		return `its ListInputBindings does not name ${JSON.stringify(name)}`;
	}

	get #question(): string {
		return `ListInputBindings at ${this.address}`;
	}

	async #listBindings(): Promise<ReadonlySet<string>> {
		let bindings: readonly string[] = [];
		const verdict = await askInTime({
			timeoutMs: this.#optionsTimeoutMs,
			signal: this.#closed.signal,
			ask: (signal) =>
				this.#call({
					path: AppCallbackService.listInputBindings.path,
					binding: undefined,
					metadata: noMetadata,
					message: noMessage,
					signal,
					onOk: (answer) => {
						try {
							if (answer !== undefined) bindings = ListInputBindingsResponse.decode(answer).bindings;
							return ACCEPTED;
						} catch (error) {
							return { kind: "failed", error: error as Error };
						}
					},
				}),
			describe: () => this.#question,
			connectError: () => this.connectError,
		});
		// What 404 is over HTTP: an app that only publishes serves no callbacks.
		this.#listsBindings = !(verdict.kind === "failed" && verdict.status === "UNIMPLEMENTED");
		if (verdict.kind === "accepted" || !this.#listsBindings) return new Set(bindings);
		throw new AppError(`${this.#question} failed: ${verdict.error.message}`, {
			outcome: "failed",
			cause: verdict.error,
		});
	}

	sendBindingEvent(name: string, _route: string, event: ReadResponse, signal: AbortSignal): Promise<AppVerdict> {
		const { data, metadata } = event;
		// The encoder takes any bytes, whatever its type says.
		const bytes = BindingEventRequest.encode({ name, data: data as Buffer, metadata }).finish();
		return this.#call({
			path: AppCallbackService.onBindingEvent.path,
			binding: name,
			metadata: this.#metadata,
			message: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
			signal,
			onOk: acceptance,
		});
	}

	#call(call: Omit<GrpcExchange, "resolve" | "resent" | "next">): Promise<AppVerdict> {
		return new Promise((resolve) => {
			const { path, binding, metadata, message, signal, onOk } = call;
			this.#pool.send({ path, binding, metadata, message, signal, onOk, resolve, resent: false, next: undefined });
		});
	}

	close(): Promise<void> {
		this.#closing ??= this.#end();
		return this.#closing;
	}

	async #end(): Promise<void> {
		await this.#pool.close();
		this.#closed.abort();
		this.#connection.close();
	}
}

/** OK accepts, whatever comes with it. */
function acceptance(answer: Buffer | undefined): AppVerdict {
	if (answer === undefined || answer.length === 0) return ACCEPTED;
	let response: BindingEventResponse;
	try {
		response = BindingEventResponse.decode(answer);
	} catch {
		return ACCEPTED;
	}
	const { to, data, concurrency } = response;
	if (to.length === 0) return ACCEPTED;
	return {
		kind: "accepted",
		response: { to, data, concurrency: concurrency === Concurrency.PARALLEL ? "parallel" : "sequential" },
	};
}

/** What `work` resolves with; rejects with `reason()` when `signal` aborts. The work goes on for others. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal, reason: () => Error): Promise<T> {
	return new Promise((resolve, reject) => {
		const abort = () => reject(reason());
		signal.addEventListener("abort", abort, { once: true });
		work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
	});
}
