import type { Cancellation } from "../bindings/binding.js";

/** The caller of one request, which may leave before it is answered. At most one listens. */
export class Caller implements Cancellation {
	aborted = false;
	#listener: (() => void) | undefined;

	addEventListener(_type: "abort", listener: () => void): void {
		this.#listener = listener;
	}

	removeEventListener(): void {
		this.#listener = undefined;
	}

	/** It wants no answer any more. */
	leave(): void {
		this.aborted = true;
		this.#listener?.();
		this.#listener = undefined;
	}
}
