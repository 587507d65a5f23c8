const LOOK_EVERY_MS = 500;
/** The worst is kept for half a minute to a minute. */
const LOOKS_A_WINDOW = 60;

/** How late the event loop runs: while it is late, nothing is read, answered or written. */
export class EventLoopLag implements Disposable {
	readonly #now: () => number;
	readonly #timer: NodeJS.Timeout;
	#lookedAt: number;
	#looks = 0;
	#worst = 0;
	#worstBefore = 0;

	/** Begins to look. */
	constructor(now: () => number = () => performance.now()) {
		this.#now = now;
		this.#lookedAt = now();
		this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS).unref();
	}

	/** The longest delay of the last minute or so, in milliseconds. */
	get worstMs(): number {
		return Math.max(this.#worst, this.#worstBefore);
	}

	[Symbol.dispose](): void {
		clearInterval(this.#timer);
	}

	#look(): void {
		const now = this.#now();
		this.#worst = Math.max(this.#worst, now - this.#lookedAt - LOOK_EVERY_MS);
		this.#lookedAt = now;
		if (++this.#looks < LOOKS_A_WINDOW) return;
		this.#looks = 0;
		this.#worstBefore = this.#worst;
		this.#worst = 0;
	}
}
