import type { AppVerdict } from "./app-channel.js";

/** One request to the app, and who waits for its verdict. */
export interface Exchange {
	readonly signal: AbortSignal;
	/** Only the first call counts. */
	readonly resolve: (verdict: AppVerdict) => void;
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
	/** True: the connection ended, having served another request before, or turned this one away unseen. */
	readonly reused: boolean;
}

/** Has one exchange with the app at a time. */
export interface ExchangeCarrier<E extends Exchange> {
	/** The exchange under way. */
	readonly exchange: E | undefined;
	/** Sends a request. Only when no other is under way. */
	run(exchange: E): void;
	/** Ends the exchange under way; the listener hears of it as a failure. */
	cancel(): void;
	/** Ends everything. */
	destroy(): Promise<void>;
}

/** Who is told how an exchange ended. The carrier is free for the next one then. */
export interface ExchangeListener<E extends Exchange> {
	/** A complete response. */
	answered(carrier: ExchangeCarrier<E>, exchange: E, verdict: AppVerdict): void;
	/** No complete response. */
	failed(carrier: ExchangeCarrier<E>, exchange: E, failure: Failure): void;
}
