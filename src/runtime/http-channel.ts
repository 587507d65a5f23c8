import { ACCEPTED, type ReadResponse, type Verdict } from "../bindings/binding.js";
import { AppError, ConfigurationError } from "../errors.js";
import type { AppChannel } from "./app-channel.js";
import { AppConnection, type Exchange, type ExchangeListener, type Failure } from "./app-connection.js";
import { AppPort } from "./app-port.js";
import { EventHeaders, isHeaderToken } from "./event-headers.js";
import { ExchangeQueue } from "./exchange-queue.js";
import { HealthProbe } from "./health-probe.js";
import { routePath } from "./route-path.js";

export interface HttpChannelOptions {
	/** The app's host name or IP address; an IPv6 literal without brackets. */
	readonly host: string;
	readonly port: number;
	/** `https`: certificates are not verified, as in Dapr. Default `http`. */
	readonly protocol?: "http" | "https";
	/** Sent to the app as `dapr-api-token`. */
	readonly appToken?: string | undefined;
	/** How many requests may be at the app at once; more wait here. Absent, 0 or less: 1,024. */
	readonly maxConcurrency?: number | undefined;
	/** How long the app may take to answer OPTIONS. Default 3 s. */
	readonly optionsTimeoutMs?: number | undefined;
	/** What isHealthy() gets. Default `/healthz`. */
	readonly healthPath?: string | undefined;
	/** How long the app may take to answer that. Default 500 ms. */
	readonly healthTimeoutMs?: number | undefined;
}

const defaultMaxConcurrency = 1_024;
const defaultOptionsTimeoutMs = 3_000;
const defaultHealthPath = "/healthz";
const defaultHealthTimeoutMs = 500;

const NO_VERDICT: Verdict = Object.freeze({ kind: "none" });
const CRASHED: Verdict = Object.freeze({ kind: "none", crashed: true });
const UNREACHABLE: Verdict = Object.freeze({ kind: "unreachable" });

/** What OPTIONS carries. */
const question: ReadResponse = { data: new Uint8Array(), metadata: {}, contentType: "application/json" };

/**
 * The way to an app that speaks HTTP/1.1, over keep-alive connections of its own: no redirects, no proxies, no deadlines.
 * Throws ConfigurationError when the token can't be a header.
 */
export function createHttpChannel(options: HttpChannelOptions): AppChannel {
	if (options.appToken !== undefined && !isHeaderToken(options.appToken)) {
		throw new ConfigurationError(
			"the app's token holds characters that no HTTP header can carry; expected visible ASCII",
			{
				property: "APP_API_TOKEN",
			},
		);
	}
	return new HttpChannel(options);
}

class HttpChannel implements AppChannel, ExchangeListener {
	readonly address: string;
	readonly #origin: string;
	readonly #port: AppPort;
	readonly #health: HealthProbe;
	readonly #headers: EventHeaders;
	readonly #maxConcurrency: number;
	readonly #optionsTimeoutMs: number;
	readonly #paths = new Map<string, string>();
	readonly #connections: AppConnection[] = [];
	readonly #idle: AppConnection[] = [];
	readonly #queue = new ExchangeQueue();
	readonly #signals = new WeakSet<AbortSignal>();
	#closing: Promise<void> | undefined;

	constructor(options: HttpChannelOptions) {
		const { host, port, protocol = "http", maxConcurrency = 0 } = options;
		this.address = `${host.includes(":") ? `[${host}]` : host}:${port}`;
		this.#origin = `${protocol}://${this.address}`;
		this.#port = new AppPort({ host, port, tls: protocol === "https" });
		const { healthPath = defaultHealthPath, healthTimeoutMs = defaultHealthTimeoutMs } = options;
		this.#health = new HealthProbe(this.#origin, healthPath, healthTimeoutMs);
		this.#headers = new EventHeaders(options.appToken);
		this.#maxConcurrency = maxConcurrency > 0 ? maxConcurrency : defaultMaxConcurrency;
		this.#optionsTimeoutMs = options.optionsTimeoutMs ?? defaultOptionsTimeoutMs;
	}

	get connectError(): string | undefined {
		return this.#port.lastError?.message;
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

	async isSubscribed(_name: string, route: string, signal: AbortSignal): Promise<boolean> {
		const deadline = new AbortController();
		const abort = () => deadline.abort();
		const timer = setTimeout(abort, this.#optionsTimeoutMs);
		signal.addEventListener("abort", abort);
		try {
			if (signal.aborted) abort();
			const verdict = await this.#request("OPTIONS", route, question, deadline.signal);
			if (verdict.kind === "accepted") return true;
			if (verdict.kind === "failed" && verdict.status !== undefined) return verdict.status === 405;
			throw this.#noAnswer(route, verdict, deadline.signal.aborted && !signal.aborted);
		} finally {
			clearTimeout(timer);
			signal.removeEventListener("abort", abort);
		}
	}

	#noAnswer(route: string, verdict: Verdict, late: boolean): AppError {
		const what = `OPTIONS ${this.#path(route)} at ${this.address}`;
		switch (verdict.kind) {
			case "failed":
				return new AppError(`${what} got no answer: ${verdict.error.message}`, {
					outcome: "failed",
					cause: verdict.error,
				});
			case "unreachable":
				return new AppError(`${what} was not sent: ${this.connectError ?? "no connection"}`, {
					outcome: "unreachable",
				});
			default: {
				const why = late ? ` within ${this.#optionsTimeoutMs} ms` : "";
				const crashed = verdict.kind === "none" && verdict.crashed === true;
				return new AppError(`${what} got no answer${why}`, { outcome: crashed ? "crashed" : "none" });
			}
		}
	}

	sendBindingEvent(_name: string, route: string, event: ReadResponse, signal: AbortSignal): Promise<Verdict> {
		return this.#request("POST", route, event, signal);
	}

	#request(method: Exchange["method"], route: string, event: ReadResponse, signal: AbortSignal): Promise<Verdict> {
		if (signal.aborted || this.#closing !== undefined) return Promise.resolve(NO_VERDICT);
		if (!this.#signals.has(signal)) this.#listenTo(signal);
		return new Promise((resolve) => {
			const exchange: Exchange = {
				method,
				path: this.#path(route),
				headers: this.#headers.of(event),
				body: event.data.length === 0 ? null : event.data,
				signal,
				resolve,
				resent: false,
				next: undefined,
			};
			const connection = this.#idle.pop() ?? this.#connect();
			if (connection === undefined) this.#queue.push(exchange);
			else connection.run(exchange);
		});
	}

	#path(route: string): string {
		let path = this.#paths.get(route);
		if (path === undefined) {
			path = routePath(route);
			this.#paths.set(route, path);
		}
		return path;
	}

	#connect(): AppConnection | undefined {
		if (this.#connections.length >= this.#maxConcurrency) return undefined;
		const connection = new AppConnection(this.#origin, this);
		this.#connections.push(connection);
		return connection;
	}

	/** One listener per signal, not per event: a binding uses one signal for all its deliveries. */
	#listenTo(signal: AbortSignal): void {
		this.#signals.add(signal);
		const abort = () => {
			for (const exchange of this.#queue.remove(signal)) exchange.resolve(NO_VERDICT);
			for (const connection of this.#connections) {
				if (connection.exchange?.signal !== signal) continue;
				connection.exchange.resolve(NO_VERDICT);
				connection.cancel();
			}
		};
		signal.addEventListener("abort", abort, { once: true });
	}

	answered(connection: AppConnection, exchange: Exchange, status: number, retryAfterMs: number | undefined): void {
		this.#release(connection);
		if (status >= 200 && status < 300) exchange.resolve(ACCEPTED);
		else exchange.resolve(this.#refused(exchange, status, retryAfterMs));
	}

	#refused({ method, path }: Exchange, status: number, retryAfterMs: number | undefined): Verdict {
		const error = new AppError(`the app answered ${status} to ${method} ${path}`, {
			outcome: "failed",
			status,
			retryAfterMs,
		});
		return retryAfterMs === undefined
			? { kind: "failed", error, status }
			: { kind: "failed", error, status, retryAfterMs };
	}

	failed(connection: AppConnection, exchange: Exchange, failure: Failure): void {
		void this.#judge(exchange, failure).then((judged) => {
			const verdict = this.#isOver(exchange) ? NO_VERDICT : judged;
			if (verdict === "again") {
				exchange.resent = true;
				connection.run(exchange);
			} else {
				this.#release(connection);
				exchange.resolve(verdict);
			}
		});
	}

	#isOver(exchange: Exchange): boolean {
		return exchange.signal.aborted || this.#closing !== undefined;
	}

	async #judge(exchange: Exchange, failure: Failure): Promise<Verdict | "again"> {
		if (this.#isOver(exchange)) return NO_VERDICT;
		if (!failure.written) return exchange.resent ? CRASHED : UNREACHABLE;
		if (failure.reused && !failure.answering) return (await this.#port.isOpen()) ? "again" : CRASHED;
		if (!(await this.#port.staysOpen())) return CRASHED;
		const what = failure.answering ? "broke off its answer" : "closed the connection without an answer";
		const message = `the app ${what} to ${exchange.method} ${exchange.path}: ${failure.error.message}`;
		return { kind: "failed", error: new AppError(message, { outcome: "failed", cause: failure.error }) };
	}

	#release(connection: AppConnection): void {
		const next = this.#queue.shift();
		if (next === undefined) this.#idle.push(connection);
		else connection.run(next);
	}

	close(): Promise<void> {
		this.#closing ??= this.#end();
		return this.#closing;
	}

	async #end(): Promise<void> {
		for (const exchange of this.#queue.clear()) exchange.resolve(NO_VERDICT);
		for (const connection of this.#connections) connection.exchange?.resolve(NO_VERDICT);
		await Promise.all(this.#connections.map((connection) => connection.destroy()));
	}
}
