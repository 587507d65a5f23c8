/** The figures of a breaker since its counts began; whole numbers. */
export interface BreakerCounts {
	readonly requests: number;
	readonly totalSuccesses: number;
	readonly totalFailures: number;
	readonly consecutiveSuccesses: number;
	readonly consecutiveFailures: number;
}

/** When a breaker opens and closes. dapr: pkg/resiliency/breaker/circuitbreaker.go */
export interface BreakerSettings {
	readonly name: string;
	/** In half-open so many calls at once are let through, and so many successes in a row close it. */
	readonly maxRequests: number;
	/** Closed, it counts anew so often; 0: never. */
	readonly intervalMs: number;
	/** How long it stays open. */
	readonly timeoutMs: number;
	/** After a failure: whether it opens. */
	readonly trips: (counts: BreakerCounts) => boolean;
}

/** `closed`: calls go through. `open`: none does. `half-open`: some do, to see. */
export type BreakerState = "closed" | "open" | "half-open";

const NONE: BreakerCounts = {
	requests: 0,
	totalSuccesses: 0,
	totalFailures: 0,
	consecutiveSuccesses: 0,
	consecutiveFailures: 0,
};

/** Stops calling what has failed, for a while. Time is that of performance.now(): a clock that is set does not matter. */
export class CircuitBreaker {
	readonly settings: BreakerSettings;
	readonly #listeners = new Set<(state: BreakerState) => void>();
	#state: BreakerState = "closed";
	#counts = { ...NONE };
	/** A call that began before the state changed says nothing of the present one. */
	#generation = 0;
	/** When the open state ends, or the counts of the closed one. */
	#expiresAt: number;

	constructor(settings: BreakerSettings) {
		this.settings = settings;
		this.#expiresAt = this.#intervalEnd(performance.now());
	}

	get state(): BreakerState {
		this.#elapse();
		return this.#state;
	}

	/** How long nothing is let through, in milliseconds, unless the state changes before; 0: something would be now. */
	get closedToCallsForMs(): number {
		this.#elapse();
		if (this.#state === "open") return Math.max(0, this.#expiresAt - performance.now());
		return this.#hasRoom ? 0 : this.settings.timeoutMs;
	}

	get #hasRoom(): boolean {
		return this.#state === "closed" || this.#counts.requests < this.settings.maxRequests;
	}

	/** Hears of each change; returns the function that stops listening. */
	onChange(listener: (state: BreakerState) => void): () => void {
		this.#listeners.add(listener);
		return () => this.#listeners.delete(listener);
	}

	/** Lets a call through and returns what is to be told of its end: `undefined` for neither success nor failure. Undefined: not let through. */
	enter(): ((succeeded: boolean | undefined) => void) | undefined {
		this.#elapse();
		if (this.#state === "open" || !this.#hasRoom) return undefined;
		this.#counts.requests++;
		const generation = this.#generation;
		return (succeeded) => {
			this.#elapse();
			if (generation === this.#generation) this.#ended(succeeded);
		};
	}

	#ended(succeeded: boolean | undefined): void {
		const counts = this.#counts;
		if (succeeded === undefined) {
			counts.requests--;
		} else if (succeeded) {
			counts.totalSuccesses++;
			counts.consecutiveSuccesses++;
			counts.consecutiveFailures = 0;
			const isProven = counts.consecutiveSuccesses >= this.settings.maxRequests;
			if (this.#state === "half-open" && isProven) this.#change("closed");
		} else {
			counts.totalFailures++;
			counts.consecutiveFailures++;
			counts.consecutiveSuccesses = 0;
			if (this.#state === "half-open" || this.settings.trips(counts)) this.#change("open");
		}
	}

	#elapse(): void {
		const now = performance.now();
		if (now < this.#expiresAt) return;
		if (this.#state === "open") {
			this.#change("half-open");
		} else {
			this.#generation++;
			this.#counts = { ...NONE };
			this.#expiresAt = this.#intervalEnd(now);
		}
	}

	#change(state: BreakerState): void {
		const now = performance.now();
		this.#state = state;
		this.#generation++;
		this.#counts = { ...NONE };
		if (state === "open") this.#expiresAt = now + this.settings.timeoutMs;
		else this.#expiresAt = state === "closed" ? this.#intervalEnd(now) : Number.POSITIVE_INFINITY;
		for (const listener of this.#listeners) listener(state);
	}

	#intervalEnd(now: number): number {
		return this.settings.intervalMs > 0 ? now + this.settings.intervalMs : Number.POSITIVE_INFINITY;
	}
}
