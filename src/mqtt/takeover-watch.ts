/** So often within `WITHIN_MS`, it is no coincidence. */
const TIMES = 3;
const WITHIN_MS = 60_000;
/** Nobody took our connection for so long: the other client is gone. */
const OVER_AFTER_MS = 60_000;

/**
 * Notices another client with our identifier: the broker ends a healthy connection of ours, and takes us back at once, again and
 * again. Pure but for the clock it is given.
 */
export class TakeoverWatch {
	/** When a healthy connection was ended and the next attempt was accepted at once. */
	#times: number[] = [];
	#wasHealthy = false;
	#onlineSince: number | undefined;
	#isOn = false;

	/** Another client uses our identifier. */
	get isOn(): boolean {
		return this.#isOn;
	}

	/** A connection that was online has ended. `isHealthy`: by the broker's FIN, with nothing of ours unanswered and no acknowledgement out of order. */
	ended(isHealthy: boolean): void {
		this.#wasHealthy = isHealthy;
		this.#onlineSince = undefined;
	}

	/** An attempt failed, so it was not taken back at once. */
	failed(): void {
		this.#wasHealthy = false;
	}

	/** An attempt was accepted. True when this is what gives the other client away. */
	accepted(now: number): boolean {
		this.#onlineSince = now;
		if (!this.#wasHealthy) return false;
		this.#wasHealthy = false;
		this.#times = [...this.#times.filter((at) => now - at < WITHIN_MS), now];
		if (this.#isOn || this.#times.length < TIMES) return false;
		this.#isOn = true;
		return true;
	}

	/** Called about once a second. True when the other client has been gone for long enough. */
	look(now: number): boolean {
		if (!this.#isOn || this.#onlineSince === undefined || now - this.#onlineSince < OVER_AFTER_MS) return false;
		this.#isOn = false;
		this.#times = [];
		return true;
	}
}
