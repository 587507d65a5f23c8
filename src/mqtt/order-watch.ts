/** A broker that minds ends the connection this soon after an overtaking acknowledgement. */
const SOON_MS = 1_000;
const WITHIN_MS = 10 * 60 * 1_000;
const TIMES = 2;
/** Where each time a publish of ours was unanswered, that may have been the reason as well. */
const TIMES_WITH_PUBLISHES = 5;

/**
 * Notices a broker that ends the connection when an acknowledgement overtakes another (rumqttd does). Pure but for the clock it is
 * given.
 */
export class OrderWatch {
	#overtookAt = Number.NEGATIVE_INFINITY;
	#ends: { readonly at: number; readonly hadPublish: boolean }[] = [];

	/** An acknowledgement left before that of a message which came earlier. */
	overtook(now: number): void {
		this.#overtookAt = now;
	}

	/** Whether one did so a moment ago. */
	overtookRecently(now: number): boolean {
		return now - this.#overtookAt <= SOON_MS;
	}

	/** The broker ended the connection. `hadPublish`: a publish of ours was unanswered. True when it insists on the order. */
	ended(now: number, hadPublish: boolean): boolean {
		if (!this.overtookRecently(now)) return false;
		this.#overtookAt = Number.NEGATIVE_INFINITY;
		this.#ends = [...this.#ends.filter(({ at }) => now - at < WITHIN_MS), { at: now, hadPublish }];
		return this.#ends.length >= (this.#ends.every((end) => end.hadPublish) ? TIMES_WITH_PUBLISHES : TIMES);
	}
}
