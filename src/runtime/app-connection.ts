import type { Socket } from "node:net";
import type { Dispatcher } from "undici";
import type { Verdict } from "../bindings/binding.js";
import { parseRetryAfter } from "./retry-after.js";
import { buildConnector, Client } from "./undici-client.js";

/** One request to the app, and who waits for its verdict. */
export interface Exchange {
	readonly method: "POST" | "OPTIONS";
	readonly path: string;
	readonly headers: readonly string[];
	readonly body: Uint8Array | null;
	readonly signal: AbortSignal;
	/** Only the first call counts. */
	readonly resolve: (verdict: Verdict) => void;
	/** True once it was sent a second time because a reused connection ended. */
	resent: boolean;
	/** The one behind it in the queue. */
	next: Exchange | undefined;
}

/** How a request ended that got no complete response. */
export interface Failure {
	readonly error: Error;
	/** False: no connection, so the app has not seen the request. */
	readonly written: boolean;
	/** True: at least one byte of a response came. */
	readonly answering: boolean;
	/** True: the connection had served a request before. */
	readonly reused: boolean;
}

/** Who is told how an exchange ended. The connection is free for the next one then. */
export interface ExchangeListener {
	/** A complete response. */
	answered(connection: AppConnection, exchange: Exchange, status: number, retryAfterMs: number | undefined): void;
	/** No complete response; the socket is gone. */
	failed(connection: AppConnection, exchange: Exchange, failure: Failure): void;
}

/**
 * One keep-alive connection to the app, and the handler of the one exchange on it: it is used again for every request,
 * so that a delivery costs no handler of its own. Connects when it is first needed, and anew after its socket ended.
 *
 * Has undici's callbacks in their first form, as undici 7 calls them natively: the newer form parses every response's headers into an object.
 */
export class AppConnection implements Dispatcher.DispatchHandler {
	readonly #client: Client;
	readonly #listener: ExchangeListener;
	readonly #request: { method: Dispatcher.HttpMethod; path: string; headers: string[]; body: Uint8Array | null };
	#exchange: Exchange | undefined;
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
	constructor(origin: string, listener: ExchangeListener) {
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
	get exchange(): Exchange | undefined {
		return this.#exchange;
	}

	/** Sends a request. Only when no other is under way. */
	run(exchange: Exchange): void {
		this.#exchange = exchange;
		this.#abort = undefined;
		this.#cancelled = false;
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
		if (exchange !== undefined) this.#listener.answered(this, exchange, this.#status, this.#retryAfterMs);
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

	#take(): Exchange | undefined {
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
