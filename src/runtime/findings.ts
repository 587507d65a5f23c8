/** Gathers everything that is wrong in the component files, so that all of it can be told at once. */
export class Findings {
	readonly #onWarning: (message: string) => void;
	readonly #problems: Error[] = [];

	constructor(onWarning: (message: string) => void) {
		this.#onWarning = onWarning;
	}

	/** Adds errors; an AggregateError adds what it holds. With `ignoreErrors` they are warned about instead. */
	add(errors: readonly unknown[], ignoreErrors = false): void {
		for (const error of errors) {
			if (error instanceof AggregateError) this.add(error.errors, ignoreErrors);
			else if (!(error instanceof Error)) throw error;
			else if (ignoreErrors) this.#onWarning(`${error.message}; skipped, as the component says ignoreErrors`);
			else this.#problems.push(error);
		}
	}

	/** In the order they were found. */
	get problems(): readonly Error[] {
		return this.#problems;
	}
}
