/** A byte sequence is not the JSON it should be. The message says what stands where. */
export class JsonSyntaxError extends SyntaxError {
	/** The place, in bytes from the start. */
	readonly offset: number;
	constructor(message: string, offset: number) {
		super(`${message} at byte ${offset}`);
		this.offset = offset;
	}
}

/** As in Go's decoder; a deeper document is refused rather than followed. */
const MAX_DEPTH = 10_000;

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const LETTER_U = 0x75;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

const TRUE = Buffer.from("true");
const FALSE = Buffer.from("false");
const NULL = Buffer.from("null");

/**
 * Walks the members of the JSON object that stands in `bytes` at `from`, without building anything from it. Calls `onMember`
 * with each name, decoded, and the byte range of its value, in order. Returns the offset after the object; what follows is
 * not looked at. Throws JsonSyntaxError at the first byte that RFC 8259 does not allow. Does not check that strings are UTF-8.
 */
export function readMembers(
	bytes: Buffer,
	from: number,
	onMember: (name: string, start: number, end: number) => void,
): number {
	let at = skipSpace(bytes, from);
	if (bytes[at] !== OPEN_OBJECT) throw unexpected(bytes, at, "an object");
	at = skipSpace(bytes, at + 1);
	if (bytes[at] === CLOSE_OBJECT) return at + 1;
	for (;;) {
		const nameEnd = skipString(bytes, at);
		const name = readString(bytes, at, nameEnd);
		const start = skipColon(bytes, nameEnd);
		const end = skipValue(bytes, start);
		onMember(name, start, end);
		at = skipSpace(bytes, end);
		if (bytes[at] === CLOSE_OBJECT) return at + 1;
		if (bytes[at] !== COMMA) throw unexpected(bytes, at, '"," or "}"');
		at = skipSpace(bytes, at + 1);
	}
}

/** Returns the offset after the JSON value that begins exactly at `from`. Throws JsonSyntaxError. */
export function skipValue(bytes: Buffer, from: number): number {
	// What closes the containers around the current place, innermost last: no recursion, as the depth is the caller's choice.
	const closers: number[] = [];
	let at = from;
	value: for (;;) {
		switch (bytes[at]) {
			case QUOTE:
				at = skipString(bytes, at);
				break;
			case OPEN_OBJECT:
				if (closers.length === MAX_DEPTH) throw new JsonSyntaxError(`more than ${MAX_DEPTH} levels`, at);
				at = skipSpace(bytes, at + 1);
				if (bytes[at] !== CLOSE_OBJECT) {
					closers.push(CLOSE_OBJECT);
					at = skipColon(bytes, skipString(bytes, at));
					continue;
				}
				at++;
				break;
			case OPEN_ARRAY:
				if (closers.length === MAX_DEPTH) throw new JsonSyntaxError(`more than ${MAX_DEPTH} levels`, at);
				at = skipSpace(bytes, at + 1);
				if (bytes[at] !== CLOSE_ARRAY) {
					closers.push(CLOSE_ARRAY);
					continue;
				}
				at++;
				break;
			case TRUE[0]:
				at = skipWord(bytes, at, TRUE);
				break;
			case FALSE[0]:
				at = skipWord(bytes, at, FALSE);
				break;
			case NULL[0]:
				at = skipWord(bytes, at, NULL);
				break;
			default:
				at = skipNumber(bytes, at);
		}
		for (;;) {
			const closer = closers.at(-1);
			if (closer === undefined) return at;
			at = skipSpace(bytes, at);
			if (bytes[at] === closer) {
				closers.pop();
				at++;
				continue;
			}
			if (bytes[at] !== COMMA) throw unexpected(bytes, at, closer === CLOSE_OBJECT ? '"," or "}"' : '"," or "]"');
			at = skipSpace(bytes, at + 1);
			if (closer === CLOSE_OBJECT) at = skipColon(bytes, skipString(bytes, at));
			continue value;
		}
	}
}

/** True when the valid JSON value at `at` is a string. */
export function isString(bytes: Buffer, at: number): boolean {
	return bytes[at] === QUOTE;
}

/** True when the valid JSON value at `at` is null. */
export function isNull(bytes: Buffer, at: number): boolean {
	return bytes[at] === NULL[0];
}

function skipSpace(bytes: Buffer, from: number): number {
	let at = from;
	for (;;) {
		const byte = bytes[at];
		if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return at;
		at++;
	}
}

function skipColon(bytes: Buffer, from: number): number {
	const at = skipSpace(bytes, from);
	if (bytes[at] !== COLON) throw unexpected(bytes, at, '":"');
	return skipSpace(bytes, at + 1);
}

function skipString(bytes: Buffer, from: number): number {
	if (bytes[from] !== QUOTE) throw unexpected(bytes, from, "a string");
	const length = bytes.length;
	let at = from + 1;
	while (at < length) {
		const byte = bytes[at] as number;
		if (byte === QUOTE) return at + 1;
		if (byte === BACKSLASH) at = skipEscape(bytes, at);
		else if (byte < 0x20) throw unexpected(bytes, at, "no control character in a string");
		else at++;
	}
	throw unexpected(bytes, at, "the end of a string");
}

function skipEscape(bytes: Buffer, from: number): number {
	const letter = bytes[from + 1];
	if (letter === LETTER_U) {
		for (let at = from + 2; at < from + 6; at++) {
			if (!isHexDigit(bytes[at])) throw unexpected(bytes, at, "a hexadecimal digit");
		}
		return from + 6;
	}
	if (letter === undefined || !'"\\/bfnrt'.includes(String.fromCharCode(letter))) {
		throw unexpected(bytes, from + 1, "an escape");
	}
	return from + 2;
}

function skipWord(bytes: Buffer, from: number, word: Buffer): number {
	for (let i = 1; i < word.length; i++) {
		if (bytes[from + i] !== word[i]) throw unexpected(bytes, from + i, `"${word}"`);
	}
	return from + word.length;
}

function skipNumber(bytes: Buffer, from: number): number {
	let at = bytes[from] === MINUS ? from + 1 : from;
	if (bytes[at] === ZERO) at++;
	else if (isDigit(bytes[at])) at = skipDigits(bytes, at);
	else throw unexpected(bytes, at, at === from ? "a value" : "a digit");
	if (bytes[at] === POINT) at = skipDigits(bytes, at + 1);
	const exponent = bytes[at];
	if (exponent === 0x65 || exponent === 0x45) {
		const sign = bytes[at + 1];
		at = skipDigits(bytes, sign === 0x2b || sign === MINUS ? at + 2 : at + 1);
	}
	return at;
}

function skipDigits(bytes: Buffer, from: number): number {
	if (!isDigit(bytes[from])) throw unexpected(bytes, from, "a digit");
	let at = from + 1;
	while (isDigit(bytes[at])) at++;
	return at;
}

function isDigit(byte: number | undefined): boolean {
	return byte !== undefined && byte >= ZERO && byte <= 0x39;
}

function isHexDigit(byte: number | undefined): boolean {
	return isDigit(byte) || (byte !== undefined && (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66);
}

/** The text of a valid JSON string, from its opening quote at `start` to `end`, after the closing one. */
export function readString(bytes: Buffer, start: number, end: number): string {
	for (let at = start + 1; at < end - 1; at++) {
		const byte = bytes[at] as number;
		if (byte === BACKSLASH || byte >= 0x80) return JSON.parse(bytes.toString("utf8", start, end)) as string;
	}
	return bytes.toString("latin1", start + 1, end - 1);
}

function unexpected(bytes: Buffer, at: number, expected: string): JsonSyntaxError {
	const byte = bytes[at];
	if (byte === undefined) return new JsonSyntaxError(`unexpected end of JSON, expected ${expected},`, at);
	const shown =
		byte > 0x20 && byte < 0x7f ? `'${String.fromCharCode(byte)}'` : `0x${byte.toString(16).padStart(2, "0")}`;
	return new JsonSyntaxError(`unexpected ${shown}, expected ${expected},`, at);
}
