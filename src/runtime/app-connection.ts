import type { Socket } from "node:net";
import type { Dispatcher } from "undici";
import type { ExchangeCarrier, ExchangeListener, Failure } from "./exchange.js";
import { type HttpExchange, httpVerdict } from "./http-exchange.js";
import { parseRetryAfter } from "./retry-after.js";
import { buildConnector, Client } from "./undici-client.js";

/**
 * One keep-alive connection to the app, and the handler of the one exchange on it: it is used again for every request,
 * so that a delivery costs no handler of its own. Connects when it is first needed, and anew after its socket ended.
 *
 * Has undici's callbacks in their first form, as undici 7 calls them natively: the newer form parses every response's headers into an object.
 */
export class AppConnection implements ExchangeCarrier<HttpExchange>, Dispatcher.DispatchHandler {
	readonly #client: Client;
	readonly #listener: ExchangeListener<HttpExchange>;
	readonly #request: { method: Dispatcher.HttpMethod; path: string; headers: string[]; body: Uint8Array | null };
	#exchange: HttpExchange | undefined;
	#socket: Socket | undefined;
	/** Responses on the present socket. */
	#served = 0;
	#abort: (() => void) | undefined;
	#cancelled = false;
	#reused = false;
	#answering = false;
	#status = 0;
	#retryAfterMs: number | undefined;

	/** `origin` as `http://127.0.0.1:3000`. Certificates are not verified: the app is on this machine or in this pod, as in Dapr. */
	constructor(origin: string, listener: ExchangeListener<HttpExchange>) {
		this.#listener = listener;
		this.#request = { method: "POST", path: "/", headers: [], body: null };
		const connect = buildConnector({ rejectUnauthorized: false });
		this.#client = new Client(origin, {
			// The app may take as long as it likes; the binding has its own deadline.
			headersTimeout: 0,
			bodyTimeout: 0,
			connect: (options, callback) =>
				connect(options, (...result) => {
					if (result[1] !== null) this.#socket = result[1];
					this.#served = 0;
					callback(...result);
				}),
		});
	}

	/** The exchange under way. */
	get exchange(): HttpExchange | undefined {
		return this.#exchange;
	}

	/** Sends a request. Only when no other is under way. */
	run(exchange: HttpExchange): void {
		this.#exchange = exchange;
		this.#abort = undefined;
		this.#cancelled = false;
		this.#reused = false;
		this.#answering = false;
		this.#status = 0;
		this.#retryAfterMs = undefined;
		const request = this.#request;
		request.method = exchange.method;
		request.path = exchange.path;
		request.headers = exchange.headers as string[];
		request.body = exchange.body;
		this.#client.dispatch(request, this);
	}

	/** Ends the exchange under way, and with it the socket; the listener hears of it as a failure. */
	cancel(): void {
		this.#cancelled = true;
		this.#abort?.();
	}

	/** Ends everything. */
	destroy(): Promise<void> {
		return this.#client.destroy();
	}

	onConnect(abort: () => void): void {
		this.#abort = abort;
		this.#reused = this.#served > 0;
		if (this.#cancelled) abort();
	}

	onResponseStarted(): void {
		this.#answering = true;
	}

	onHeaders(status: number, headers: Buffer[]): boolean {
		this.#status = status;
		if (status === 429 || status === 503) this.#retryAfterMs = retryAfter(headers);
		return true;
	}

	onData(): boolean {
		return true;
	}

	onComplete(): void {
		// A body that ends with the connection counts as complete only when that end was orderly.
		const broken = this.#socket?.errored;
		if (broken) {
			this.onError(broken);
			return;
		}
		this.#served++;
		const exchange = this.#take();
		if (exchange === undefined) return;
		this.#listener.answered(this, exchange, httpVerdict(exchange, this.#status, this.#retryAfterMs));
	}

	onError(error: Error): void {
		const failure: Failure = {
			error,
			written: this.#abort !== undefined,
			answering: this.#answering,
			reused: this.#reused,
		};
		const exchange = this.#take();
		// undici is in the middle of taking the socket down and accepts no request until it is done.
		if (exchange !== undefined) queueMicrotask(() => this.#listener.failed(this, exchange, failure));
	}

	#take(): HttpExchange | undefined {
		const exchange = this.#exchange;
		this.#exchange = undefined;
		return exchange;
	}
}

function retryAfter(headers: readonly Buffer[]): number | undefined {
	for (let index = 0; index + 1 < headers.length; index += 2) {
		if (headers[index]?.toString("latin1").toLowerCase() === "retry-after") {
			return parseRetryAfter(headers[index + 1]?.toString("latin1") ?? "");
		}
	}
	return undefined;
}
