import type { IncomingMessage, ServerResponse } from "node:http";
import { BusyError, MalformedRequestError } from "./status.js";

/** How many requests are open and how many bytes of bodies are half read, over all connections. */
export class RequestBudget {
	readonly #maxOpen: number;
	readonly #maxBytes: number;
	#open = 0;
	#bytes = 0;

	constructor(maxOpen: number, maxBytes: number) {
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

const EMPTY = Buffer.alloc(0);

/**
 * Reads a request's body into one buffer, without decompressing it. Rejects with MalformedRequestError when it is
 * longer than `limit`, before anything is read where the length was announced, or with BusyError; the rest is then unread. Resolves with undefined
 * when the caller went away.
 */
export function readBody(
	request: IncomingMessage,
	response: ServerResponse,
	limit: number,
	budget: RequestBudget,
): Promise<Buffer | undefined> {
	return new Promise((resolve, reject) => {
		const announced = Number(request.headers["content-length"] ?? 0);
		if (announced > limit) return reject(tooLarge(limit));
		if (request.headers.expect !== undefined) response.writeContinue();
		let body: Buffer = EMPTY;
		let size = 0;
		let isOurs = false;
		const add = (chunk: Buffer): void => {
			const end = size + chunk.byteLength;
			if (end > limit) return stop(tooLarge(limit));
			if (!budget.take(chunk.byteLength)) return stop(new BusyError("too many request bodies at once"));
			if (size === 0) body = chunk;
			else {
				// One buffer that grows: as a list of chunks, a body of one-byte chunks would cost a hundred times its size.
				if (!isOurs || end > body.byteLength) {
					body = grown(body, size, Math.max(end, Math.min(2 * end, limit), announced));
					isOurs = true;
				}
				body.set(chunk, size);
			}
			size = end;
		};
		const settle = (): void => {
			budget.give(size);
			request.off("data", add).off("end", finish).off("close", leave);
		};
		const finish = (): void => {
			settle();
			resolve(size === body.byteLength ? body : body.subarray(0, size));
		};
		const leave = (): void => {
			settle();
			resolve(undefined);
		};
		const stop = (error: Error): void => {
			settle();
			request.pause();
			reject(error);
		};
		request.on("data", add).on("end", finish).on("close", leave);
	});
}

function grown(bytes: Buffer, size: number, capacity: number): Buffer {
	const larger = Buffer.allocUnsafeSlow(capacity);
	larger.set(bytes.subarray(0, size));
	return larger;
}

function tooLarge(limit: number): MalformedRequestError {
	return new MalformedRequestError(`body is larger than ${limit} bytes`);
}
