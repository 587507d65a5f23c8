import type { IncomingMessage, ServerResponse } from "node:http";
import type { RequestBudget } from "./request-budget.js";
import { BodyTooLargeError, BusyError } from "./status.js";

/**
 * Reads a request's body into one buffer, without decompressing it. Rejects with BodyTooLargeError when it is longer than
 * `limit`, before anything is read where the length was announced, or with BusyError; the rest is then unread. Resolves
 * with undefined when the caller went away.
 */
export function readBody(
	request: IncomingMessage,
	response: ServerResponse,
	limit: number,
	budget: RequestBudget,
): Promise<Buffer | undefined> {
	return new Promise((resolve, reject) => {
		const announced = Number(request.headers["content-length"] ?? 0);
		if (announced > limit) {
			reject(new BodyTooLargeError(limit));
			return;
		}
		if (request.headers.expect !== undefined) response.writeContinue();
		const body = new GrowingBuffer(announced, limit);
		let held = 0;
		const release = (): void => {
			budget.give(held);
			held = 0;
		};
		const stop = (error: Error): void => {
			request.off("data", add).pause();
			release();
			reject(error);
		};
		const add = (chunk: Buffer): void => {
			if (body.size + chunk.byteLength > limit) stop(new BodyTooLargeError(limit));
			else if (!budget.take(chunk.byteLength)) stop(new BusyError("too many request bodies at once"));
			else {
				held += chunk.byteLength;
				body.add(chunk);
			}
		};
		const finish = (): void => {
			release();
			resolve(body.bytes);
		};
		// Comes after the end as well: then nothing is held, and the promise is settled.
		const leave = (): void => {
			release();
			resolve(undefined);
		};
		request.on("data", add).on("end", finish).on("close", leave);
	});
}

/** Chunks put together as they come: as a list, one-byte chunks would cost a hundred times their size. */
class GrowingBuffer {
	readonly #expected: number;
	readonly #limit: number;
	#buffer: Buffer = Buffer.alloc(0);
	/** The buffer is the only chunk so far, not a copy. */
	#isChunk = true;
	size = 0;

	constructor(expected: number, limit: number) {
		this.#expected = expected;
		this.#limit = limit;
	}

	get bytes(): Buffer {
		return this.size === this.#buffer.byteLength ? this.#buffer : this.#buffer.subarray(0, this.size);
	}

	add(chunk: Buffer): void {
		const size = this.size + chunk.byteLength;
		if (this.size === 0) this.#buffer = chunk;
		else {
			if (this.#isChunk || size > this.#buffer.byteLength) this.#grow(size);
			this.#buffer.set(chunk, this.size);
		}
		this.size = size;
	}

	#grow(needed: number): void {
		const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#expected, Math.min(2 * needed, this.#limit)));
		larger.set(this.bytes);
		this.#buffer = larger;
		this.#isChunk = false;
	}
}
