import type { SidecarProcess } from "../../support/sidecar-process.js";
import type { Violation } from "./violation.js";
import { historyTime } from "./wire-history.js";

/** Starts a sidecar again whenever it has ended, until it is retired. An end that nobody brought about breaks I10. */
export class Supervisor {
	readonly sidecar: SidecarProcess;
	readonly violations: Violation[] = [];
	/** When a sidecar was gone. */
	readonly ends: number[] = [];
	/** Resolves when it was retired and its sidecar has ended. */
	readonly done: Promise<void>;
	#lives = 1;
	#expectsEnd = false;
	#isRetired = false;

	constructor(sidecar: SidecarProcess) {
		this.sidecar = sidecar;
		this.done = this.#watch();
	}

	/** Starts of the sidecar, the first one included. */
	get lives(): number {
		return this.#lives;
	}

	/** The next end was brought about. */
	expectEnd(): void {
		this.#expectsEnd = true;
	}

	/** The next end is the last. */
	retire(): void {
		this.#isRetired = true;
	}

	async #watch(): Promise<void> {
		for (;;) {
			const { code, signal } = await this.sidecar.exited;
			this.ends.push(historyTime());
			if (this.#isRetired) return;
			if (!this.#expectsEnd) {
				this.#violated(`the sidecar ended by itself (${signal ?? code})`, this.sidecar.output.slice(-10));
			}
			this.#expectsEnd = false;
			this.#lives++;
			try {
				await this.sidecar.start();
			} catch (error) {
				// Killed again before it listened.
				if (this.#expectsEnd || this.#isRetired) continue;
				this.#violated("the sidecar did not start", [String(error)]);
				return;
			}
		}
	}

	#violated(message: string, witness: readonly string[]): void {
		this.violations.push({ invariant: "I10", message, witness });
	}
}
