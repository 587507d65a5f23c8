/** How long a SUBACK may take before the broker is asked for a sign of life, and how long after that sign. */
const PATIENCE_MS = 10_000;

/** Tells a broker that is slow to answer SUBSCRIBE from one that never will. Pure but for the clock it is given. */
export class SubAckWatch {
	/** When the PINGREQ that checks on the missing SUBACK was written, then when its PINGRESP came. */
	#checkedAt: number | undefined;
	#answeredAt: number | undefined;

	/** A PINGRESP came. */
	answered(now: number): void {
		if (this.#checkedAt !== undefined) this.#answeredAt ??= now;
	}

	/** What to do about the SUBSCRIBE that has been unanswered since `pendingSince`, if one is; `ping`: once. */
	look(pendingSince: number | undefined, now: number): "wait" | "ping" | "give-up" {
		if (pendingSince === undefined) {
			this.#checkedAt = undefined;
			this.#answeredAt = undefined;
		} else if (this.#checkedAt === undefined) {
			if (now - pendingSince < PATIENCE_MS) return "wait";
			this.#checkedAt = now;
			return "ping";
		} else if (this.#answeredAt !== undefined && now - this.#answeredAt >= PATIENCE_MS) {
			return "give-up";
		}
		return "wait";
	}
}
