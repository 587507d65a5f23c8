/** An invariant that a history breaks. */
export interface Violation {
	/** `I1`, or `run` where the run proves nothing. */
	readonly invariant: string;
	readonly message: string;
	/** The events that show it, and no others. */
	readonly witness: readonly string[];
}

/** An event of a witness. */
export function witnessLine(at: number, what: string): string {
	return `${at.toFixed(1)} ms  ${what}`;
}
