/** The caller of one gRPC call, which may leave before it is answered: a `Cancellation` to bindings, for less than an AbortSignal costs. At most one listens. */
export class Caller {
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
