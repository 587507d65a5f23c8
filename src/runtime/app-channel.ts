import type { ReadResponse, Verdict } from "../bindings/binding.js";

/** The way to the app, whatever it speaks. */
export interface AppChannel {
	/** Resolves when the app's port takes a connection: tried every 100 ms, growing to 5 s, until `signal` aborts (then rejects with its reason). */
	waitForPort(signal: AbortSignal): Promise<void>;
	/**
	 * Asks the app whether it wants this binding's events (HTTP: OPTIONS on the route; 2xx and 405 are a yes, any other status a clean no).
	 * Rejects with AppError when there was no answer.
	 */
	isSubscribed(name: string, route: string, signal: AbortSignal): Promise<boolean>;
	/** Hands one event over. Never rejects. */
	sendBindingEvent(name: string, route: string, event: ReadResponse, signal: AbortSignal): Promise<Verdict>;
	/** For people: `127.0.0.1:3000`. */
	readonly address: string;
	close(): Promise<void>;
}
