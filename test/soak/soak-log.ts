import type { SidecarProcess } from "../support/sidecar-process.js";

/** The latest lines are kept. */
const MAX_LINES = 100_000;

/** What happened, line by line: the faults, and what the sidecar wrote in each of its lives. */
export class SoakLog {
	readonly lines: string[] = [];
	#output: readonly string[] = [];
	#taken = 0;

	add(line: string): void {
		this.lines.push(`${new Date().toISOString()} ${line}`);
		if (this.lines.length > MAX_LINES) this.lines.splice(0, MAX_LINES / 2);
	}

	/** Takes what it wrote since the last time. */
	read({ output }: SidecarProcess): void {
		this.#take();
		if (output === this.#output) return;
		this.#output = output;
		this.#taken = 0;
		this.#take();
	}

	#take(): void {
		// Its oldest half has gone meanwhile.
		if (this.#taken > this.#output.length) this.#taken = 0;
		for (; this.#taken < this.#output.length; this.#taken++) this.add(this.#output[this.#taken]!);
	}
}
