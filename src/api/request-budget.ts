import { BusyError } from "./status.js";

const MAX_OPEN_REQUESTS = 4_096;
/** The most that bodies may hold which are half read, in bytes, and with it the longest body: more than MQTT can carry. */
export const MAX_UPLOADED_BYTES = 256 * 1024 * 1024;

/** How many requests are open and how many bytes of bodies are half read, over all connections and protocols. */
export class RequestBudget {
	readonly #maxOpen: number;
	readonly #maxBytes: number;
	#open = 0;
	#bytes = 0;

	/** Defaults: 4,096 requests, 256 MiB. */
	constructor(maxOpen = MAX_OPEN_REQUESTS, maxBytes = MAX_UPLOADED_BYTES) {
		this.#maxOpen = maxOpen;
		this.#maxBytes = maxBytes;
	}

	/** One more is open until leave(). Throws BusyError when there are too many. */
	enter(): void {
		if (this.#open >= this.#maxOpen) throw new BusyError("too many open requests");
		this.#open++;
	}

	leave(): void {
		this.#open--;
	}

	/** True, and so many bytes are held until give(), or false when there are too many. */
	take(bytes: number): boolean {
		if (this.#bytes + bytes > this.#maxBytes) return false;
		this.#bytes += bytes;
		return true;
	}

	give(bytes: number): void {
		this.#bytes -= bytes;
	}
}
