/** Nothing new came for so long although the broker was free to send: it may be waiting. */
const QUIET_MS = 200;
/** What comes so soon after an acknowledgement came because of it. */
const PROMPT_MS = 50;
/** Seen so often in a row, it is no coincidence. */
const TIMES = 3;

/**
 * Guesses the broker's in-flight window from the outside: silence with n messages un-acknowledged, an acknowledgement, and at once the
 * next message, several times in a row with the same n. Brokers differ: mosquitto 20, RabbitMQ 10, HiveMQ begins with 1.
 */
export class WindowEstimate {
	#lastArrival = Number.NEGATIVE_INFINITY;
	#acknowledgedAt = Number.NEGATIVE_INFINITY;
	#outstanding = 0;
	#times = 0;
	#window: number | undefined;

	/** How many messages this broker leaves un-acknowledged before it waits; undefined while that was not seen. */
	get window(): number | undefined {
		return this.#window;
	}

	/** Acknowledgements were written; `outstanding`: how many messages were un-acknowledged before. */
	acknowledged(outstanding: number, now: number): void {
		if (now - this.#lastArrival < QUIET_MS) return;
		// The one before brought nothing.
		if (this.#acknowledgedAt !== Number.NEGATIVE_INFINITY) this.#times = 0;
		if (outstanding !== this.#outstanding) this.#times = 0;
		this.#outstanding = outstanding;
		this.#acknowledgedAt = now;
	}

	/** A message came. */
	arrived(now: number): void {
		this.#lastArrival = now;
		if (this.#acknowledgedAt === Number.NEGATIVE_INFINITY) return;
		this.#times = now - this.#acknowledgedAt <= PROMPT_MS ? this.#times + 1 : 0;
		this.#acknowledgedAt = Number.NEGATIVE_INFINITY;
		if (this.#times >= TIMES) this.#window = this.#outstanding;
	}
}
