/** Writes MQTT packets without asking whether they are allowed, and shares no code with src/mqtt. */

/** A packet: its first byte, the Remaining Length of the body, the body. */
export function packet(first: number, ...body: readonly (number | Uint8Array)[]): Buffer {
	const bytes = Buffer.concat(body.map((part) => (typeof part === "number" ? Buffer.of(part) : part)));
	return Buffer.concat([Buffer.of(first), lengthOf(bytes.length), bytes]);
}

/** A Remaining Length by the standard's own algorithm (2.2.3). */
export function lengthOf(length: number): Buffer {
	const bytes: number[] = [];
	let x = length;
	do {
		const digit = x % 128;
		x = Math.floor(x / 128);
		bytes.push(x > 0 ? digit + 128 : digit);
	} while (x > 0);
	return Buffer.from(bytes);
}

/** Two bytes, most significant first. */
export function u16(value: number): Buffer {
	return Buffer.of(Math.floor(value / 256), value % 256);
}

/** A string or bytes with its length in front; lone surrogates become three bytes, which is no UTF-8. */
export function str(value: string | Uint8Array): Buffer {
	const bytes = typeof value === "string" ? Buffer.concat(Array.from(value, scalar)) : value;
	return Buffer.concat([u16(bytes.length), bytes]);
}

function scalar(character: string): Buffer {
	const code = character.codePointAt(0)!;
	if (code < 0xd800 || code > 0xdfff) return Buffer.from(character);
	return Buffer.of(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f));
}
