/** One timer for many times: rings once, when the earliest that was asked for has come. */
export class Alarm {
	readonly #ring: () => void;
	#timer: NodeJS.Timeout | undefined;
	#at = Number.POSITIVE_INFINITY;

	/** `ring` may ask for the next time. */
	constructor(ring: () => void) {
		this.#ring = ring;
	}

	/** Rings at `at`, by performance.now(), unless it does so sooner anyway; infinity asks for nothing. */
	by(at: number): void {
		if (at >= this.#at) return;
		clearTimeout(this.#timer);
		this.#at = at;
		this.#timer = setTimeout(
			() => {
				this.#at = Number.POSITIVE_INFINITY;
				this.#ring();
			},
			Math.max(1, at - performance.now()),
		);
	}

	/** Rings for none of the times asked for so far. */
	stop(): void {
		clearTimeout(this.#timer);
		this.#at = Number.POSITIVE_INFINITY;
	}
}
