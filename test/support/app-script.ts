/** A time in milliseconds, or a random one between two. */
export type Delay = number | readonly [least: number, most: number];

/** How the app answers an event. */
export interface AppAnswer {
	/** Default 200. */
	readonly status?: number;
	readonly headers?: Readonly<Record<string, string>>;
	readonly body?: string;
	/** A body of so many bytes instead. */
	readonly bodySize?: number;
	/** Time before the answer begins. */
	readonly delayMs?: Delay;
	/** Time between the headers and the body. */
	readonly bodyDelayMs?: Delay;
	/** These bytes, as Latin-1, instead of an HTTP answer, and then FIN. */
	readonly raw?: string;
	/** No answer: never any, the connection closed or reset, reset in the middle, or the app's death. */
	readonly end?: "hang" | "close" | "reset" | "reset after headers" | "exit";
}

/** An answer for some events. */
export interface AppRule extends AppAnswer {
	/** Only for these payloads. */
	readonly payloads?: readonly string[];
	/** Only for payloads that match this regular expression. */
	readonly pattern?: string;
	/** Only for the first so many requests with one payload since the script was given. */
	readonly times?: number;
}

/** What the app does: the first rule that fits wins over the answer for all. */
export interface AppScript extends AppAnswer {
	readonly rules?: readonly AppRule[];
	/** The answer to OPTIONS, which asks whether the app wants the binding's events; default 200. */
	readonly probeStatus?: number;
}
