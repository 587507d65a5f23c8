import type { ReadResponse } from "../bindings/binding.js";
import { ConfigurationError } from "../errors.js";
import type { AppChannel, AppVerdict } from "./app-channel.js";
import { AppConnection } from "./app-connection.js";
import { AppPort } from "./app-port.js";
import { askInTime } from "./ask-in-time.js";
import { EventHeaders, isHeaderToken } from "./event-headers.js";
import type { ExchangeCarrier, ExchangeListener } from "./exchange.js";
import { ExchangePool } from "./exchange-pool.js";
import { type AppHealth, HealthProbe } from "./health-probe.js";
import { describeHttp, type HttpExchange } from "./http-exchange.js";
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

const defaultOptionsTimeoutMs = 3_000;
const defaultHealthPath = "/healthz";
const defaultHealthTimeoutMs = 500;

/** What OPTIONS carries. */
const question: ReadResponse = { data: new Uint8Array(), metadata: {}, contentType: "application/json" };

/** How HTTP goes over the wire to one app. */
export interface HttpTransport {
	/** Makes one more carrier. */
	readonly open: (listener: ExchangeListener<HttpExchange>) => ExchangeCarrier<HttpExchange>;
	/** Asks `path` whether the app is well. */
	readonly health: (path: string, timeoutMs: number) => AppHealth;
	/** Why the latest attempt to connect failed although the port was open. */
	readonly connectError?: () => string | undefined;
	/** Ends what the carriers share, after them. */
	readonly close?: () => void;
}

/** Makes the way to one app; `origin` as `http://127.0.0.1:3000`. */
export type OpenTransport = (origin: string) => HttpTransport;

/** HTTP/1.1: each carrier is a keep-alive connection of its own. */
const overConnections: OpenTransport = (origin) => ({
	open: (listener) => new AppConnection(origin, listener),
	health: (path, timeoutMs) => new HealthProbe(origin, path, timeoutMs),
});

/**
 * The way to an app that speaks HTTP: no redirects, no proxies, no deadlines. Over HTTP/1.1 and keep-alive connections of its own, unless
 * `openTransport` says otherwise. Throws ConfigurationError when the token can't be a header.
 */
export function createHttpChannel(options: HttpChannelOptions, openTransport = overConnections): AppChannel {
	if (options.appToken !== undefined && !isHeaderToken(options.appToken)) {
		throw new ConfigurationError(
			"the app's token holds characters that no HTTP header can carry; expected visible ASCII",
			{
				property: "APP_API_TOKEN",
			},
		);
	}
	return new HttpChannel(options, openTransport);
}

class HttpChannel implements AppChannel {
	readonly address: string;
	readonly #port: AppPort;
	readonly #transport: HttpTransport;
	readonly #health: AppHealth;
	readonly #headers: EventHeaders;
	readonly #optionsTimeoutMs: number;
	readonly #paths = new Map<string, string>();
	readonly #pool: ExchangePool<HttpExchange>;
	#closing: Promise<void> | undefined;

	constructor(options: HttpChannelOptions, openTransport: OpenTransport) {
		const { host, port, protocol = "http", maxConcurrency } = options;
		this.address = `${host.includes(":") ? `[${host}]` : host}:${port}`;
		this.#port = new AppPort({ host, port, tls: protocol === "https" });
		this.#transport = openTransport(`${protocol}://${this.address}`);
		const { healthPath = defaultHealthPath, healthTimeoutMs = defaultHealthTimeoutMs } = options;
		this.#health = this.#transport.health(healthPath, healthTimeoutMs);
		this.#headers = new EventHeaders(options.appToken);
		this.#optionsTimeoutMs = options.optionsTimeoutMs ?? defaultOptionsTimeoutMs;
		const { open } = this.#transport;
		this.#pool = new ExchangePool({ maxConcurrency, open, port: this.#port, describe: describeHttp });
	}

	get connectError(): string | undefined {
		return this.#port.lastError?.message ?? this.#transport.connectError?.();
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
		const verdict = await askInTime({
			timeoutMs: this.#optionsTimeoutMs,
			signal,
			ask: (deadline) => this.#request("OPTIONS", route, question, deadline),
			describe: () => `OPTIONS ${this.#path(route)} at ${this.address}`,
			connectError: () => this.connectError,
		});
		return verdict.kind === "accepted" || verdict.status === 405;
	}

	describeNo(_name: string, route: string): string {
		return `it answered OPTIONS ${this.#path(route)} with neither 2xx nor 405`;
	}

	sendBindingEvent(_name: string, route: string, event: ReadResponse, signal: AbortSignal): Promise<AppVerdict> {
		return this.#request("POST", route, event, signal);
	}

	#request(
		method: HttpExchange["method"],
		route: string,
		event: ReadResponse,
		signal: AbortSignal,
	): Promise<AppVerdict> {
		return new Promise((resolve) => {
			this.#pool.send({
				method,
				path: this.#path(route),
				headers: this.#headers.of(event),
				body: event.data.length === 0 ? null : event.data,
				signal,
				resolve,
				resent: false,
				next: undefined,
			});
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

	close(): Promise<void> {
		this.#closing ??= this.#pool.close().then(() => this.#transport.close?.());
		return this.#closing;
	}
}
