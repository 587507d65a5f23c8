/** Numbers that stay known; what is older is forgotten. */
const KEPT = 1 << 20;

/** A moment for each of the latest million numbers, in memory that does not grow. */
export class Numbered {
	readonly #at = new Float64Array(KEPT);
	readonly #number = new Float64Array(KEPT).fill(-1);

	/** The moment noted for a number; undefined where there is none. */
	get(number: number): number | undefined {
		const index = number % KEPT;
		return this.#number[index] === number ? this.#at[index] : undefined;
	}

	set(number: number, at: number): void {
		const index = number % KEPT;
		this.#number[index] = number;
		this.#at[index] = at;
	}
}
