import type { WireEvent } from "./wire-history.js";

/** A numbered message of the publisher, on its way to the app. Times are those of `historyTime`. */
export interface PublishRecord {
	readonly id: string;
	readonly topic: string;
	/** When it was given to the publisher's client. */
	readonly at: number;
	/** When the broker had acknowledged it. */
	readonly acknowledgedAt?: number;
}

/** One request that the app got. */
export interface AppCall {
	readonly id: string;
	readonly topic: string;
	readonly at: number;
	/** The answer's status, and when it was about to be complete; absent: it never was. */
	readonly status?: number;
	readonly answeredAt?: number;
}

/** One call of `create`. */
export interface CreateRecord {
	readonly id: string;
	readonly at: number;
	readonly answeredAt: number;
	/** `none`: the API broke off, or was not there. */
	readonly answer: "success" | "not sent" | "outcome unknown" | "none";
}

/** What a run recorded: four histories, and what was done to whom. All in order of time. */
export interface Histories {
	readonly seed: number;
	readonly published: readonly PublishRecord[];
	/** Between the sidecars and the broker. */
	readonly wire: readonly WireEvent[];
	readonly app: readonly AppCall[];
	readonly creates: readonly CreateRecord[];
	/** What was injected beside the proxy's own faults. */
	readonly faults: readonly { readonly at: number; readonly what: string }[];
	/** When the app died, or connections to it were cut. */
	readonly appLosses: readonly number[];
	/** When the broker was killed, and when it had last saved what it knew. */
	readonly brokerKills: readonly { readonly at: number; readonly savedAt: number }[];
	/** Messages that the broker says it dropped. */
	readonly brokerDropped: number;
	/** When a sidecar was asked to stop: from then on unfinished deliveries are passed over. */
	readonly stops: readonly number[];
	/** When a sidecar was gone, however it ended. */
	readonly ends: readonly number[];
	/** Messages that were settled otherwise than by the app's 2xx: dead-lettered, dropped as configured. */
	readonly disposed: readonly { readonly id: string; readonly at: number }[];
	readonly ackOrder: "arrival" | "strict";
	readonly ordering: "none" | "topic";
}

/** A message names itself by its payload's first word; what follows is padding. */
export function messageId(payload: string): string {
	const end = payload.indexOf(" ");
	return end < 0 ? payload : payload.slice(0, end);
}
