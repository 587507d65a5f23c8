import type { ReadResponse, Verdict } from "../bindings/binding.js";

/** What an app may add to its yes: output bindings to invoke next. */
export interface AppResponse {
	/** Names of components. */
	readonly to: readonly string[];
	/** What they get: JSON as it stands in the app's answer, hopefully. */
	readonly data: Uint8Array;
	/** `parallel`: all at once; else one after the other. */
	readonly concurrency: "sequential" | "parallel";
}

/** A verdict; an app that accepted an event may have said what is to follow. */
export type AppVerdict = Verdict | { readonly kind: "accepted"; readonly response: AppResponse };

/** The way to the app, whatever it speaks. */
export interface AppChannel {
	/** Resolves when the app's port takes a connection: tried every 100 ms, growing to 5 s, until `signal` aborts (then rejects with its reason). */
	waitForPort(signal: AbortSignal): Promise<void>;
	/** Tries once whether the app's port takes a connection. Never rejects. */
	isPortOpen(): Promise<boolean>;
	/** Holds a connection on which it says nothing; resolves when the app has ended it, or took none. Rejects when `signal` aborts. */
	untilHangUp(signal: AbortSignal): Promise<void>;
	/**
	 * Asks the app whether it wants this binding's events (HTTP: OPTIONS on the route; 2xx and 405 are a yes, any other status a clean no.
	 * gRPC: ListInputBindings, which names it or does not). Rejects with AppError when there was no answer.
	 */
	isSubscribed(name: string, route: string, signal: AbortSignal): Promise<boolean>;
	/** For people: what a clean no to that question was, as in `it answered OPTIONS /orders with neither 2xx nor 405`. */
	describeNo(name: string, route: string): string;
	/** Hands one event over. Never rejects. */
	sendBindingEvent(name: string, route: string, event: ReadResponse, signal: AbortSignal): Promise<AppVerdict>;
	/**
	 * Asks the app once whether it is well (HTTP: GET on the health path; 2xx in time is a yes. gRPC: HealthCheck; OK in time is a yes).
	 * Anything else is a no. Never rejects.
	 */
	isHealthy(signal: AbortSignal): Promise<boolean>;
	/** For people: `127.0.0.1:3000`. */
	readonly address: string;
	/** For people: why the latest attempt to connect failed. Undefined when it did not. */
	readonly connectError: string | undefined;
	/** For people: why the app was not well when it was asked last. Undefined when it was, or was not asked. */
	readonly healthError: string | undefined;
	/** What is under way ends without a verdict. Idempotent. */
	close(): Promise<void>;
}
