/** One thing that is wrong with one field. */
export interface Problem {
	/** The field's name in the table. */
	readonly field: string;
	/** What is wrong and what is expected, without the field's name; undefined: the field is required and missing. */
	readonly reason: string | undefined;
}

/** Everything that is wrong with one component, gathered so that all of it can be told at once. */
export class Problems {
	readonly #all: Problem[] = [];

	/** Notes what is wrong with a field. `reason` holds no secret. */
	add(field: string, reason: string): void {
		this.#all.push({ field, reason });
	}

	/** Notes that a required field is not there, unless something else is wrong with it already. */
	addMissing(field: string): void {
		if (!this.concerns(field)) this.#all.push({ field, reason: undefined });
	}

	/** True when something is wrong with the field, so that nothing can be said about how it fits with others. */
	concerns(field: string): boolean {
		return this.#all.some((problem) => problem.field === field);
	}

	/** In the order they were found. */
	get all(): readonly Problem[] {
		return this.#all;
	}
}
