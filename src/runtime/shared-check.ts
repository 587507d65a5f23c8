/**
 * Shares one run of a check among all who ask while it has not begun; who asks while it runs gets the next one,
 * since what made them ask may have happened after its answer was fixed.
 */
export class SharedCheck<T> {
	readonly #check: () => Promise<T>;
	#running: Promise<T> | undefined;
	#next: Promise<T> | undefined;

	constructor(check: () => Promise<T>) {
		this.#check = check;
	}

	/** Settles as the check does. */
	run(): Promise<T> {
		this.#next ??= this.#begin();
		return this.#next;
	}

	async #begin(): Promise<T> {
		// How the one before ends is for those who asked it.
		await this.#running?.catch(() => {});
		this.#next = undefined;
		this.#running = this.#check();
		return this.#running;
	}
}
