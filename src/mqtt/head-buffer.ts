const KEPT_BYTES = 4_096;
const NONE = Buffer.alloc(0);

/** Collects the begin of a packet that spans chunks. Grows with the bytes that came, not with what a length announces. */
export class HeadBuffer {
	#bytes: Buffer = NONE;
	#length = 0;

	/** The collected bytes are the first `length` of these; valid until the next call. */
	get bytes(): Buffer {
		return this.#bytes;
	}

	get length(): number {
		return this.#length;
	}

	append(source: Buffer, start: number, end: number): void {
		const length = this.#length + end - start;
		if (length > this.#bytes.length) {
			const grown = Buffer.allocUnsafeSlow(Math.max(256, length, this.#bytes.length * 2));
			this.#bytes.copy(grown, 0, 0, this.#length);
			this.#bytes = grown;
		}
		source.copy(this.#bytes, this.#length, start, end);
		this.#length = length;
	}

	/** Keeps small memory for the next packet, gives back large. */
	clear(): void {
		this.#length = 0;
		if (this.#bytes.length > KEPT_BYTES) this.#bytes = NONE;
	}
}
