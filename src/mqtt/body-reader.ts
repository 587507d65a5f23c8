import { lengthError, PACKET_NAMES } from "./fixed-header.js";
import { decodeUtf8 } from "./utf8.js";

/** Reads the fields of one packet behind its fixed header, never past its Remaining Length. Throws MqttProtocolError when they do not fit. */
export class BodyReader {
	readonly #bytes: Buffer;
	readonly #type: number;
	readonly #end: number;
	#position: number;

	constructor(bytes: Buffer, type: number, start: number, end: number) {
		this.#bytes = bytes;
		this.#type = type;
		this.#position = start;
		this.#end = end;
	}

	get isAtEnd(): boolean {
		return this.#position === this.#end;
	}

	/** Throws when bytes are left. */
	finish(): void {
		const rest = this.#end - this.#position;
		if (rest > 0) throw lengthError(this.#type, `has ${rest} bytes behind its last field`);
	}

	byte(): number {
		return this.#bytes[this.#take(1)]!;
	}

	uint16(): number {
		return this.#bytes.readUInt16BE(this.#take(2));
	}

	string(): string {
		const length = this.uint16();
		const start = this.#take(length);
		return decodeUtf8(this.#bytes, start, start + length, `${PACKET_NAMES[this.#type]} string`);
	}

	/** A field of its own memory: the bytes read from are used again. */
	binary(): Uint8Array {
		const length = this.uint16();
		const start = this.#take(length);
		return Buffer.from(this.#bytes.subarray(start, start + length));
	}

	#take(count: number): number {
		const start = this.#position;
		if (start + count > this.#end) throw lengthError(this.#type, "ends within a field");
		this.#position = start + count;
		return start;
	}
}
