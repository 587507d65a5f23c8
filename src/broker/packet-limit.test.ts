import { describe, expect, test } from "vitest";
import { PacketLimit } from "./packet-limit.js";

/** A packet of type 1 whose Remaining Length is `length`, followed by that many bytes. */
function packet(length: number): Uint8Array {
	const head = [0x10];
	let rest = length;
	do {
		head.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
		rest >>= 7;
	} while (rest > 0);
	const bytes = new Uint8Array(head.length + length).fill(0xff, head.length);
	bytes.set(head);
	return bytes;
}

function admitAll(limit: PacketLimit, bytes: Uint8Array, step: number): boolean {
	for (let at = 0; at < bytes.length; at += step) if (!limit.admit(bytes.subarray(at, at + step))) return false;
	return true;
}

describe.each([1, 2, 3, 1_000_000])("in pieces of %d bytes", (step) => {
	test("the first packet has its own limit, all others theirs", () => {
		const stream = Buffer.concat([packet(200), packet(20_000), packet(0), packet(20_000)]);
		expect(admitAll(new PacketLimit(200, 20_000), stream, step)).toBe(true);
		expect(admitAll(new PacketLimit(199, 20_000), stream, step)).toBe(false);
		expect(admitAll(new PacketLimit(200, 19_999), stream, step)).toBe(false);
	});

	test("[2.2.3] a length of five bytes is refused", () => {
		const stream = Uint8Array.of(0xc0, 0x80, 0x80, 0x80, 0x80, 0x00);
		expect(admitAll(new PacketLimit(1_000, 1_000), stream, step)).toBe(false);
	});
});
