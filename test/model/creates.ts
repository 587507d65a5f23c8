import assert from "node:assert/strict";
import { PublishError } from "../../src/errors.js";

interface Call {
	isOpen: boolean;
	error: PublishError | undefined;
	written: number;
	answered: number;
}

/** Calls of `create` in this process: what each was told, against what left us and what the broker answered. */
export class Creates {
	#calls = new Map<string, Call>();

	/** Calls without an answer. */
	get open(): number {
		return [...this.#calls.values()].filter(({ isOpen }) => isOpen).length;
	}

	called(text: string, result: Promise<unknown>): void {
		const call: Call = { isOpen: true, error: undefined, written: 0, answered: 0 };
		this.#calls.set(text, call);
		result.then(
			() => this.#settled(call, text, undefined),
			(error: unknown) => this.#settled(call, text, error as PublishError),
		);
	}

	/** A PUBLISH of it was written, or the broker answered one. */
	seen(text: string, step: "written" | "answered"): void {
		const call = this.#calls.get(text);
		if (call === undefined) return;
		if (step === "answered") {
			call.answered++;
			return;
		}
		call.written++;
		assert.equal(call.error, undefined, `I7 ${text} is written after its caller was told of an error`);
	}

	/** The process is no more. */
	forget(): void {
		this.#calls.clear();
	}

	checkAllSettled(): void {
		for (const [text, { isOpen }] of this.#calls) assert.ok(!isOpen, `I9 the call of ${text} has no answer`);
		if (this.#problem !== undefined) throw this.#problem;
	}

	#problem: Error | undefined;

	#settled(call: Call, text: string, error: PublishError | undefined): void {
		try {
			call.isOpen = false;
			call.error = error;
			if (error === undefined) {
				assert.ok(call.answered > 0, `I6 ${text} succeeded, and the broker has not acknowledged it`);
			} else {
				assert.ok(error instanceof PublishError, `${text}: ${error}`);
				if (error.outcome === "not-sent")
					assert.equal(call.written, 0, `I7 ${text} was written, and is said not to be`);
			}
		} catch (problem) {
			this.#problem ??= problem as Error;
		}
	}
}
