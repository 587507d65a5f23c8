import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { arbitraryPacket } from "../../test/support/arbitrary-packet.js";
import { byteByByte, decodeAll } from "../../test/support/decode-all.js";
import { packetCorpus } from "../../test/support/packet-corpus.js";
import { lengthOf, str, u16, packet as wire } from "../../test/support/wire.js";
import { MqttProtocolError } from "../errors.js";
import { Decoder } from "./decode.js";
import { encode, publishSize, writePublishHeader } from "./encode.js";
import type { Packet, QoS } from "./packet.js";
import { remainingLengthSize, writeRemainingLength } from "./remaining-length.js";

const BOUNDARIES = [0, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 268_435_455];

/** Packets, perhaps with something wrong in the middle or with an end that is missing. */
const anyStream = fc
	.array(
		fc.oneof(
			{ weight: 4, arbitrary: arbitraryPacket.map(encode) },
			{
				weight: 1,
				arbitrary: fc.constantFrom(...packetCorpus.map(({ bytes }) => bytes).filter(({ length }) => length < 500)),
			},
			{ weight: 1, arbitrary: fc.uint8Array({ maxLength: 12 }).map((it) => Buffer.from(it)) },
		),
		{ maxLength: 6 },
	)
	.map((parts) => Buffer.concat(parts));
const mutatedStream = fc
	.tuple(anyStream, fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 3 }))
	.map(([bytes, changes]) => {
		for (const [at, value] of changes) if (bytes.length > 0) bytes[at % bytes.length] = value;
		return bytes;
	});

function outcome(chunks: readonly Uint8Array[], admit?: (size: number) => boolean) {
	const options = admit === undefined ? {} : { admit: (header: { payloadSize: number }) => admit(header.payloadSize) };
	const { packets, error } = decodeAll(chunks, options);
	return { packets, clause: error?.clause, message: error?.message };
}

function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
	const sorted = places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b);
	return [0, ...sorted].map((start, index) => bytes.subarray(start, sorted[index] ?? bytes.length));
}

/** Frames by the standard's own loop for the Remaining Length; the last one may be cut off or hold what has no length. */
function frames(bytes: Buffer): Buffer[] {
	const found: Buffer[] = [];
	let start = 0;
	while (start < bytes.length) {
		let at = start + 1;
		let length = 0;
		let multiplier = 1;
		while (at < bytes.length && multiplier <= 128 ** 3) {
			length += (bytes[at]! % 128) * multiplier;
			multiplier *= 128;
			if (bytes[at++]! < 128) break;
		}
		const isCut = at === start + 1 || bytes[at - 1]! >= 128;
		const end = isCut ? bytes.length : Math.min(bytes.length, at + length);
		found.push(bytes.subarray(start, end));
		start = end;
	}
	return found;
}

describe("codec", { timeout: 60_000 }, () => {
	it("P1: decoding what was encoded gives the same packet", () => {
		fc.assert(
			fc.property(arbitraryPacket, (packet) => {
				const { packets, error } = decodeAll([encode(packet)]);
				expect(error).toBeUndefined();
				expect(packets).toEqual([packet]);
			}),
			{ numRuns: 2_000 },
		);
	});

	it("P2: where a stream is cut in two changes nothing", () => {
		fc.assert(
			fc.property(mutatedStream, (bytes) => {
				const whole = outcome([bytes]);
				for (let at = 0; at <= bytes.length; at++) {
					expect(outcome([bytes.subarray(0, at), bytes.subarray(at)])).toEqual(whole);
				}
			}),
			{ numRuns: 100 },
		);
	});

	it("P2: cutting a stream anywhere changes nothing, also when payloads are skipped", () => {
		const places = fc.array(fc.nat(), { maxLength: 20 });
		fc.assert(
			fc.property(mutatedStream, places, fc.nat({ max: 3 }), (bytes, at, modulus) => {
				const admit = (size: number) => modulus === 0 || size % modulus === 0;
				const whole = outcome([bytes], admit);
				expect(outcome(cut(bytes, at), admit)).toEqual(whole);
				expect(outcome(byteByByte(bytes), admit)).toEqual(whole);
			}),
			{ numRuns: 1_000 },
		);
	});

	it("P3: any bytes give packets and at most one error, each frame as if it came alone", () => {
		const anyBytes = fc.oneof(
			mutatedStream,
			fc.uint8Array({ maxLength: 64 }).map((it) => Buffer.from(it)),
		);
		fc.assert(
			fc.property(anyBytes, (bytes) => {
				const expected: { packets: Packet[]; clause: string | undefined } = { packets: [], clause: undefined };
				for (const frame of frames(bytes)) {
					const alone = outcome([frame]);
					expect(alone.packets.length).toBeLessThanOrEqual(1);
					expected.packets.push(...alone.packets);
					expected.clause = alone.clause;
					if (alone.clause !== undefined) break;
				}
				expect(outcome([bytes])).toMatchObject(expected);
			}),
			{ numRuns: 3_000 },
		);
	});

	it("P3: the bytes behind a packet do not change it", () => {
		fc.assert(
			fc.property(arbitraryPacket, fc.uint8Array({ maxLength: 20 }), (packet, behind) => {
				expect(outcome([Buffer.concat([encode(packet), behind])]).packets[0]).toEqual(packet);
			}),
		);
	});

	it("P4: encode refuses exactly what decode refuses", () => {
		const text = fc.constantFrom("", "a", "a/b", "a/+", "#", "a#", "x+", "\0", "\ud800", "温度", "\ufeff");
		const id = fc.constantFrom(0, 1, 65_535);
		const qos = fc.constantFrom(0, 1, 2, 3) as fc.Arbitrary<QoS>;
		const type = <T extends Packet["type"]>(name: T) => fc.constant(name);
		const payload = fc.constantFrom(Buffer.alloc(0), Buffer.of(0, 255));
		const flag = fc.boolean();
		const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
		const will = fc.record({ topic: text, payload, qos, retain: flag });
		const sloppy: fc.Arbitrary<Packet> = fc.oneof(
			fc
				.record({
					type: type("publish"),
					topic: text,
					payload,
					qos,
					retain: flag,
					dup: flag,
					packetId: id,
					skipped: fc.constant(false),
				})
				.map((it) => ({ ...it, packetId: it.qos === 0 ? 0 : it.packetId, payloadSize: it.payload.length })),
			fc.record({
				type: type("connect"),
				clientId: text,
				cleanSession: flag,
				keepAlive: id,
				username: optional(text),
				password: optional(payload),
				will: optional(will),
			}),
			fc.record({ type: type("connAck"), sessionPresent: flag, returnCode: fc.constantFrom(0, 1, 5, 6, 255) }),
			fc.record({ type: fc.constantFrom("pubAck", "pubRec", "pubRel", "pubComp", "unsubAck"), packetId: id }),
			fc.record({
				type: type("subscribe"),
				packetId: id,
				subscriptions: fc.array(fc.record({ filter: text, qos }), { maxLength: 2 }),
			}),
			fc.record({
				type: type("subAck"),
				packetId: id,
				returnCodes: fc.array(fc.constantFrom(0, 1, 2, 3, 127, 128), { maxLength: 2 }),
			}),
			fc.record({ type: type("unsubscribe"), packetId: id, filters: fc.array(text, { maxLength: 2 }) }),
		);
		fc.assert(
			fc.property(sloppy, (packet) => {
				const bytes = unchecked(packet);
				const { error } = decodeAll([bytes]);
				if (error === undefined) expect(encode(packet)).toEqual(bytes);
				else expect(() => encode(packet)).toThrow(MqttProtocolError);
			}),
			{ numRuns: 5_000 },
		);
	});

	it.each(BOUNDARIES)("P5: remaining length %i is written in its shortest form", (length) => {
		const target = Buffer.alloc(6, 0xee);
		const end = writeRemainingLength(target, 1, length);
		expect(target.subarray(1, end)).toEqual(lengthOf(length));
		expect(remainingLengthSize(length)).toBe(end - 1);
	});

	it.each(BOUNDARIES.slice(1))("P5: a PUBLISH of remaining length %i is written and read back", (remaining) => {
		const payloadSize = remaining - 2 - 5;
		const header = Buffer.alloc(32);
		const end = writePublishHeader(header, 0, "topic", 5, payloadSize, 0, 0, false, false);
		expect(publishSize(5, payloadSize, 0)).toBe(end + payloadSize);
		expect(header.subarray(0, end)).toEqual(Buffer.concat([Buffer.of(0x30), lengthOf(remaining), str("topic")]));

		const packets: Packet[] = [];
		const decoder = new Decoder({ from: "any", onPacket: (packet) => packets.push(packet), admit: () => false });
		decoder.push(header.subarray(0, end));
		const chunk = Buffer.alloc(65_536);
		for (let left = payloadSize; left > 0; left -= chunk.length) {
			expect(packets).toEqual([]);
			expect(decoder.push(chunk.subarray(0, Math.min(left, chunk.length)))).toBeUndefined();
		}
		expect(packets).toMatchObject([{ topic: "topic", payloadSize, skipped: true }]);
	});

	it("P5: a PUBLISH that is one byte too long for 4 length bytes is refused before it is allocated", () => {
		const payload = { length: 268_435_455 - 6 } as Uint8Array;
		const packet = { type: "publish", topic: "topic", payload, payloadSize: payload.length } as const;
		expect(() => encode({ ...packet, qos: 0, retain: false, dup: false, packetId: 0, skipped: false })).toThrow(
			"[2.2.3]",
		);
	});

	it("P6: after an error nothing is reported, and each push returns that error", () => {
		const bad = packetCorpus.filter(
			({ clause, packets, from }) => clause !== undefined && packets === undefined && from === "server",
		);
		fc.assert(
			fc.property(fc.constantFrom(...bad), fc.array(fc.uint8Array({ maxLength: 9 })), ({ bytes, clause }, later) => {
				const packets: Packet[] = [];
				const decoder = new Decoder({ from: "server", onPacket: (packet) => packets.push(packet) });
				const good = Buffer.of(0x40, 2, 0, 9);
				const error = decoder.push(Buffer.concat([good, bytes, good]));
				expect(error?.clause).toBe(clause);
				for (const chunk of [...later, good]) expect(decoder.push(Buffer.from(chunk))).toBe(error);
				expect(packets).toEqual([{ type: "pubAck", packetId: 9 }]);
			}),
		);
	});
});

/** The bytes of a packet, written without asking whether it is allowed. */
function unchecked(packet: Packet): Buffer {
	switch (packet.type) {
		case "connect": {
			const { will, username, password } = packet;
			const flags =
				(packet.cleanSession ? 2 : 0) +
				(will ? 4 + will.qos * 8 + (will.retain ? 32 : 0) : 0) +
				(password ? 64 : 0) +
				(username === undefined ? 0 : 128);
			const fields = [
				...(will ? [str(will.topic), str(will.payload)] : []),
				...(username === undefined ? [] : [str(username)]),
				...(password ? [str(password)] : []),
			];
			return wire(0x10, str("MQTT"), 4, flags, u16(packet.keepAlive), str(packet.clientId), ...fields);
		}
		case "connAck":
			return wire(0x20, packet.sessionPresent ? 1 : 0, packet.returnCode);
		case "publish": {
			const flags = (packet.dup ? 8 : 0) + packet.qos * 2 + (packet.retain ? 1 : 0);
			const id = packet.qos === 0 ? Buffer.alloc(0) : u16(packet.packetId);
			return wire(0x30 + flags, str(packet.topic), id, packet.payload);
		}
		case "pubAck":
			return wire(0x40, u16(packet.packetId));
		case "pubRec":
			return wire(0x50, u16(packet.packetId));
		case "pubRel":
			return wire(0x62, u16(packet.packetId));
		case "pubComp":
			return wire(0x70, u16(packet.packetId));
		case "subscribe":
			return wire(0x82, u16(packet.packetId), ...packet.subscriptions.flatMap(({ filter, qos }) => [str(filter), qos]));
		case "subAck":
			return wire(0x90, u16(packet.packetId), ...packet.returnCodes);
		case "unsubscribe":
			return wire(0xa2, u16(packet.packetId), ...packet.filters.map(str));
		case "unsubAck":
			return wire(0xb0, u16(packet.packetId));
		case "pingReq":
			return wire(0xc0);
		case "pingResp":
			return wire(0xd0);
		case "disconnect":
			return wire(0xe0);
	}
}
