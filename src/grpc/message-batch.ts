/** A message whose length is known before it is written. */
export interface SizedMessage {
	/** In bytes. */
	readonly size: number;
	/** Writes so many bytes into `target`, from `at` on. */
	write(target: Buffer, at: number): void;
}

/** What stands before each message on the wire: no compression, and the length. */
const HEAD_BYTES = 5;

/**
 * Messages of one stream that go out in one write. A method whose `responseSerialize` is `asOneMessage` may be given a batch where it takes
 * a message: grpc-js makes room for one message with its head, and asks for it to be copied behind that head; what is copied here begins at
 * the head's place (docs/decisions/0025).
 */
export class MessageBatch {
	readonly #messages: SizedMessage[] = [];
	#bytes = 0;

	add(message: SizedMessage): void {
		this.#messages.push(message);
		this.#bytes += HEAD_BYTES + message.size;
	}

	/** Messages. */
	get length(): number {
		return this.#messages.length;
	}

	/** As grpc-js asks for it: without the first head. */
	get byteLength(): number {
		return this.#bytes - HEAD_BYTES;
	}

	/** As grpc-js calls it. `target` has room for all. */
	copy(target: Buffer): void {
		let at = 0;
		for (const message of this.#messages) {
			target[at] = 0;
			target.writeUInt32BE(message.size, at + 1);
			message.write(target, at + HEAD_BYTES);
			at += HEAD_BYTES + message.size;
		}
	}
}

/** A serializer for batches. */
export function asOneMessage(batch: MessageBatch): Buffer {
	return batch as unknown as Buffer;
}
