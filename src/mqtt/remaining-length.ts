/** The largest Remaining Length that four bytes can say (2.2.3), in bytes. */
export const MAX_REMAINING_LENGTH = 268_435_455;

/** How many bytes a Remaining Length takes: 1 to 4. */
export function remainingLengthSize(length: number): number {
	if (length < 0x80) return 1;
	if (length < 0x4000) return 2;
	return length < 0x20_0000 ? 3 : 4;
}

/** Writes a Remaining Length in its shortest form and returns the offset behind it. */
export function writeRemainingLength(target: Buffer, offset: number, length: number): number {
	let at = offset;
	let rest = length;
	while (rest >= 0x80) {
		target[at++] = (rest & 0x7f) | 0x80;
		rest >>>= 7;
	}
	target[at++] = rest;
	return at;
}
