import { type ClientHttp2Session, connect } from "node:http2";

/** Megabytes that Node may count for one session before it refuses streams of ours; 1,024 requests of 4 MiB must fit. */
const maxSessionMemory = 8_192;

/** One HTTP/2 connection to the app. */
export interface H2cSession {
	readonly http2: ClientHttp2Session;
	/** True once the app has answered anything on it. */
	hasServed: boolean;
}

/** Who waits for a connection. */
export interface SessionTaker {
	/** There is one, ready for requests. */
	ready(session: H2cSession): void;
	/** It could not be made. */
	unavailable(error: Error): void;
}

/**
 * The connection to an app that speaks HTTP/2 over plain TCP, with prior knowledge. Made when it is first needed, and anew after it ended
 * or the app sent GOAWAY; requests on the old one run on. Nothing is sent before the app's SETTINGS: they show that it speaks HTTP/2, and how
 * many requests it takes at once.
 */
export class H2cSessions {
	readonly #origin: string;
	readonly #takers = new Set<SessionTaker>();
	#ready: H2cSession | undefined;
	#connecting: ClientHttp2Session | undefined;
	readonly #open = new Set<ClientHttp2Session>();
	#lastError: Error | undefined;

	/** `origin` as `http://127.0.0.1:3000`. */
	constructor(origin: string) {
		this.#origin = origin;
	}

	/** Why the latest attempt to connect failed; undefined when it did not. */
	get lastError(): Error | undefined {
		return this.#lastError;
	}

	/** Gives a connection to `taker`, at once if there is one. */
	take(taker: SessionTaker): void {
		const session = this.#ready;
		if (session !== undefined && isUsable(session.http2)) {
			taker.ready(session);
			return;
		}
		this.#takers.add(taker);
		if (this.#connecting === undefined) this.#connect();
	}

	/** It waits no longer. False if it did not wait. */
	leave(taker: SessionTaker): boolean {
		return this.#takers.delete(taker);
	}

	#connect(): void {
		const http2 = connect(this.#origin, { maxSessionMemory });
		this.#connecting = http2;
		this.#open.add(http2);
		let error = new Error("the app ended the connection before it spoke HTTP/2");
		http2.on("error", (cause) => {
			error = cause;
		});
		http2.once("remoteSettings", () => this.#settled(http2));
		http2.once("close", () => {
			this.#open.delete(http2);
			if (this.#connecting === http2) this.#settled(http2, error);
		});
	}

	#settled(http2: ClientHttp2Session, error?: Error): void {
		this.#connecting = undefined;
		this.#lastError = error;
		this.#ready = error === undefined ? { http2, hasServed: false } : undefined;
		// Whoever comes back for another one gets it in the next round.
		const takers = [...this.#takers];
		this.#takers.clear();
		for (const taker of takers) {
			if (this.#ready !== undefined) taker.ready(this.#ready);
			else taker.unavailable(error as Error);
		}
	}

	/** Ends every connection. */
	close(): void {
		for (const http2 of this.#open) http2.destroy();
	}
}

/** Whether it takes new requests. */
export function isUsable(http2: ClientHttp2Session): boolean {
	return !http2.closed && !http2.destroyed;
}
