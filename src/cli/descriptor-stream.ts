import { constants, fstatSync, openSync, write, writeSync } from "node:fs";
import { Writable } from "node:stream";
import { isatty } from "node:tty";

/** A reader that is slow: looked at so often. */
const FULL_RETRY_MS = 25;
/** A disk that is full, a reader that is gone: tried again so often. */
const ERROR_RETRY_MS = 500;
/** Nothing was taken for so long: nobody reads. */
const STALLED_AFTER_MS = 1_000;
const FLUSH_STEP_MS = 5;

type Done = (error?: Error | null) => void;

/**
 * Writes to a file, a pipe or a terminal without ever holding up the event loop. What can't be written now is tried again, whatever the
 * error, and never fails the stream: whoever writes looks at `writableLength` and `isStalled`, and drops what is too much.
 */
export class DescriptorStream extends Writable {
	/** Called once when the reader of a pipe has gone for good. */
	onReaderGone: () => void = () => {};
	readonly #descriptor: number;
	/** Of a disk: a write may take its time, so that it is made on another thread. All others say at once that they are full. */
	readonly #isFile: boolean;
	#pending: Buffer = Buffer.alloc(0);
	#done: Done = () => {};
	#isBeingWritten = false;
	#stuckSince: number | undefined;
	#retry: NodeJS.Timeout | undefined;

	/** Must not be given a pipe or terminal that blocks: see `standardStream()`. */
	constructor(descriptor: number) {
		super({ highWaterMark: 64 * 1024, decodeStrings: true });
		this.#descriptor = descriptor;
		this.#isFile = fstatSync(descriptor).isFile();
	}

	/** Nothing could be written for a second, though there is something to write. */
	get isStalled(): boolean {
		return this.#stuckSince !== undefined && performance.now() - this.#stuckSince >= STALLED_AFTER_MS;
	}

	/** Writes what is left, for at most `atMostMs`, and lets nothing else happen meanwhile: for the end of the process. */
	flushSync(atMostMs: number): void {
		const deadline = performance.now() + atMostMs;
		// Another thread is at it, and is waited for anyway.
		if (this.#isBeingWritten) this.#finish();
		while (this.writableLength > 0 && performance.now() < deadline) {
			try {
				this.#wrote(writeSync(this.#descriptor, this.#pending));
			} catch {
				Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, FLUSH_STEP_MS);
			}
		}
	}

	override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
		this.#begin(chunk, done);
	}

	override _writev(chunks: { readonly chunk: Buffer }[], done: Done): void {
		this.#begin(Buffer.concat(chunks.map(({ chunk }) => chunk)), done);
	}

	override _destroy(error: Error | null, done: Done): void {
		clearTimeout(this.#retry);
		done(error);
	}

	#begin(bytes: Buffer, done: Done): void {
		this.#pending = bytes;
		this.#done = done;
		this.#attempt();
	}

	#attempt(): void {
		if (!this.#isFile) {
			try {
				this.#wrote(writeSync(this.#descriptor, this.#pending));
			} catch (error) {
				this.#stuck(error as NodeJS.ErrnoException);
			}
			return;
		}
		this.#isBeingWritten = true;
		write(this.#descriptor, this.#pending, (error, bytes) => {
			if (!this.#isBeingWritten) return;
			this.#isBeingWritten = false;
			if (error === null) this.#wrote(bytes);
			else this.#stuck(error);
		});
	}

	#wrote(bytes: number): void {
		this.#stuckSince = undefined;
		this.#pending = this.#pending.subarray(bytes);
		if (this.#pending.length === 0) this.#finish();
		else this.#attempt();
	}

	#finish(): void {
		this.#isBeingWritten = false;
		this.#done();
	}

	#stuck({ code }: NodeJS.ErrnoException): void {
		this.#stuckSince ??= performance.now();
		if (code === "EPIPE") {
			this.onReaderGone();
			this.onReaderGone = () => {};
		}
		clearTimeout(this.#retry);
		const isFull = code === "EAGAIN" || code === "EWOULDBLOCK";
		// Not for its sake shall the process live.
		this.#retry = setTimeout(() => this.#attempt(), isFull ? FULL_RETRY_MS : ERROR_RETRY_MS).unref();
	}
}

/** Standard output or standard error. Nothing else may be written to it through Node's own stream afterwards, or the order is lost. */
export function standardStream(stream: NodeJS.WriteStream & { readonly fd: number }): DescriptorStream {
	// To name Node's stream has made a pipe or a socket one that does not block; a terminal it leaves blocking.
	return new DescriptorStream(isatty(stream.fd) ? openTerminal(stream.fd) : stream.fd);
}

/** Appends to a file, which only its owner may read; made if it is not there. A named pipe needs a reader. */
export function fileStream(path: string): DescriptorStream {
	const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK } = constants;
	return new DescriptorStream(openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK, 0o600));
}

/** The terminal opened anew, so that one that was stopped (Ctrl-S) stops nothing here. Where that can't be done, as it is. */
function openTerminal(descriptor: number): number {
	try {
		return openSync(`/proc/self/fd/${descriptor}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
	} catch {
		return descriptor;
	}
}
