import { Transform, type TransformCallback } from "node:stream";

const NEWLINE = 10;
/** A longer line is broken up, so that an app that never ends its line can't fill our memory. */
const LONGEST_LINE = 65_536;

/** Puts a mark in front of every line that flows through, and ends the last one. Bytes stay as they are. */
export class LinePrefixer extends Transform {
	readonly #prefix: Buffer;
	#partial: Buffer = Buffer.alloc(0);

	constructor(prefix: string) {
		super();
		this.#prefix = Buffer.from(prefix);
	}

	override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
		const bytes = this.#partial.length === 0 ? chunk : Buffer.concat([this.#partial, chunk]);
		const lines: Buffer[] = [];
		let start = 0;
		while (start < bytes.length) {
			const newline = bytes.indexOf(NEWLINE, start);
			const end = newline === -1 ? bytes.length : newline;
			if (newline === -1 && end - start <= LONGEST_LINE) break;
			const until = Math.min(end, start + LONGEST_LINE);
			lines.push(this.#prefix, bytes.subarray(start, until), END_OF_LINE);
			start = until === newline ? until + 1 : until;
		}
		this.#partial = Buffer.from(bytes.subarray(start));
		done(null, lines.length === 0 ? undefined : Buffer.concat(lines));
	}

	override _flush(done: TransformCallback): void {
		done(null, this.#partial.length === 0 ? undefined : Buffer.concat([this.#prefix, this.#partial, END_OF_LINE]));
	}
}

const END_OF_LINE = Buffer.of(NEWLINE);
