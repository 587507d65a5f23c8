/** How delays grow, in milliseconds. */
export interface BackoffOptions {
	/** The first step. */
	readonly firstMs: number;
	/** No step is longer. */
	readonly maxMs: number;
	/** What each step is multiplied by to get the next; default 2. */
	readonly factor?: number | undefined;
	/** Default Math.random. */
	readonly random?: (() => number) | undefined;
}

/** Between attempts to connect: at most 14 in the first minute, 8 in any later one. */
export const RECONNECT_BACKOFF: BackoffOptions = { firstMs: 250, maxMs: 30_000 };

/** After an answer that will not change by itself: a refused CONNECT or SUBSCRIBE, another client with our identifier. */
export const SLOW_BACKOFF: BackoffOptions = { firstMs: 10_000, maxMs: 300_000 };

/** Delays that grow and are drawn by lot, so that clients which lost one broker together do not return together. */
export class Backoff {
	readonly #options: BackoffOptions;
	#stepMs: number;

	constructor(options: BackoffOptions) {
		this.#options = options;
		this.#stepMs = options.firstMs;
	}

	/** The delay before the next attempt, in milliseconds: between a quarter of the current step and the step. */
	next(): number {
		const { maxMs, factor = 2, random = Math.random } = this.#options;
		const stepMs = this.#stepMs;
		this.#stepMs = Math.min(stepMs * factor, maxMs);
		return jittered(stepMs, random);
	}

	/** Starts again with the first step. */
	reset(): void {
		this.#stepMs = this.#options.firstMs;
	}
}

/** A delay drawn by lot between a quarter of `stepMs` and all of it. */
export function jittered(stepMs: number, random: () => number = Math.random): number {
	return stepMs * (0.25 + 0.75 * random());
}
