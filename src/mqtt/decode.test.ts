import { describe, expect, it, vi } from "vitest";
import { byteByByte, decodeAll } from "../../test/support/decode-all.js";
import { packet, str, u16 } from "../../test/support/wire.js";
import { Decoder, type DecoderOptions } from "./decode.js";
import type { ConnectPacket, Packet, PublishPacket } from "./packet.js";

const ACK = Buffer.of(0x40, 2, 0, 7);

function collect(options: Partial<DecoderOptions> = {}) {
	const packets: Packet[] = [];
	const decoder = new Decoder({ from: "server", onPacket: (it) => packets.push(it), ...options });
	return { packets, decoder };
}

function refusal(bytes: Uint8Array, from: DecoderOptions["from"] = "any"): string | undefined {
	return decodeAll([bytes], { from }).error?.clause;
}

describe("received packets", () => {
	it("[MQTT-2.2.2-1] [MQTT-2.2.2-2] a packet with wrong flags is refused", () => {
		for (const first of [0x11, 0x21, 0x41, 0x52, 0x74, 0x98, 0xb2, 0xc1, 0xd4]) {
			expect(refusal(packet(first, 0, 1))).toBe("MQTT-2.2.2-2");
		}
	});

	it("[MQTT-3.6.1-1] [MQTT-3.8.1-1] [MQTT-3.10.1-1] [MQTT-3.14.1-1] wrong flags are refused by the type's own statement", () => {
		expect(refusal(packet(0x60, u16(1)))).toBe("MQTT-3.6.1-1");
		expect(refusal(packet(0x80, u16(1), str("a"), 0))).toBe("MQTT-3.8.1-1");
		expect(refusal(packet(0xa0, u16(1), str("a")))).toBe("MQTT-3.10.1-1");
		expect(refusal(packet(0xe1))).toBe("MQTT-3.14.1-1");
	});

	it("[MQTT-4.8.0-1] a type that this side never sends is refused", () => {
		expect(refusal(packet(0xc0), "server")).toBe("2.2.1");
		expect(refusal(packet(0xd0), "client")).toBe("2.2.1");
		expect(refusal(packet(0xc0), "any")).toBeUndefined();
		expect(refusal(packet(0xf0), "any")).toBe("2.2.1");
	});

	it("[MQTT-2.3.1-1] a PUBLISH, SUBSCRIBE or UNSUBSCRIBE with identifier 0 is refused", () => {
		expect(refusal(packet(0x32, str("a"), u16(0)))).toBe("MQTT-2.3.1-1");
		expect(refusal(packet(0x34, str("a"), u16(0)))).toBe("MQTT-2.3.1-1");
		expect(refusal(packet(0x82, u16(0), str("a"), 0))).toBe("MQTT-2.3.1-1");
		expect(refusal(packet(0xa2, u16(0), str("a")))).toBe("MQTT-2.3.1-1");
	});

	it("[MQTT-2.3.1-5] a PUBLISH of QoS 0 has no identifier: its payload begins behind the topic", () => {
		const { packets } = decodeAll([packet(0x30, str("a"), 0, 7)]);
		expect(packets).toMatchObject([{ packetId: 0, payload: Buffer.of(0, 7) }]);
	});

	it("[MQTT-3.3.1-2] [MQTT-4.3.1-1] a PUBLISH of QoS 0 with DUP is refused", () => {
		expect(refusal(packet(0x38, str("a")))).toBe("MQTT-3.3.1-2");
	});

	it("[MQTT-3.3.1-4] a PUBLISH of QoS 3 is refused", () => {
		expect(refusal(packet(0x36, str("a"), u16(1)))).toBe("MQTT-3.3.1-4");
	});

	it("[MQTT-3.3.2-1] [MQTT-1.5.3-1] a PUBLISH topic that is not well-formed UTF-8 is refused", () => {
		expect(refusal(packet(0x30, str(Buffer.of(0xed, 0xa0, 0x80))))).toBe("MQTT-1.5.3-1");
	});

	it("[MQTT-1.5.3-2] [MQTT-4.7.3-2] a PUBLISH topic with U+0000 is refused", () => {
		expect(refusal(packet(0x30, str("a\0")))).toBe("MQTT-1.5.3-2");
	});

	it("[MQTT-1.5.3-3] U+FEFF in a topic is kept, also at its begin", () => {
		const { packets } = decodeAll([packet(0x30, str("\ufeffa\ufeff"))]);
		expect(packets).toMatchObject([{ topic: "\ufeffa\ufeff" }]);
	});

	it("[MQTT-3.3.2-2] [MQTT-4.7.1-1] a PUBLISH topic with a wildcard is refused", () => {
		expect(refusal(packet(0x30, str("a/+")))).toBe("MQTT-3.3.2-2");
		expect(refusal(packet(0x30, str("#")))).toBe("MQTT-3.3.2-2");
	});

	it("[MQTT-4.7.3-1] a PUBLISH with an empty topic is refused", () => {
		expect(refusal(packet(0x30, str("")))).toBe("MQTT-4.7.3-1");
	});

	it("T25: [MQTT-4.7.3-3] a topic of 65,535 slashes is read in any chunks", () => {
		const topic = "/".repeat(65_535);
		const bytes = packet(0x30, str(topic), 1);
		for (const chunks of [[bytes], byteByByte(bytes)]) expect(decodeAll(chunks).packets).toMatchObject([{ topic }]);
	});

	it("[MQTT-3.1.2-3] [MQTT-3.1.2-13] [MQTT-3.1.2-14] [MQTT-3.1.2-15] [MQTT-3.1.2-22] CONNECT flags that contradict are refused", () => {
		const connect = (flags: number) => packet(0x10, str("MQTT"), 4, flags, u16(0), str("c"), str("w"), str("m"));
		expect(refusal(connect(0x07))).toBe("MQTT-3.1.2-3");
		expect(refusal(connect(0x0a))).toBe("MQTT-3.1.2-13");
		expect(refusal(connect(0x1e))).toBe("MQTT-3.1.2-14");
		expect(refusal(connect(0x22))).toBe("MQTT-3.1.2-15");
		expect(refusal(packet(0x10, str("MQTT"), 4, 0x42, u16(0), str("c"), str("p")))).toBe("MQTT-3.1.2-22");
	});

	it("[MQTT-3.1.3-1] CONNECT fields are read in their order", () => {
		const fields = [str("c"), str("w"), str("m"), str("u"), str("p")];
		const { packets } = decodeAll([packet(0x10, str("MQTT"), 4, 0xee, u16(9), ...fields)]);
		const will = { topic: "w", payload: Buffer.from("m"), qos: 1, retain: true };
		const password = Buffer.from("p");
		expect(packets).toEqual([
			{ type: "connect", clientId: "c", cleanSession: true, keepAlive: 9, will, username: "u", password },
		]);
	});
});

describe("payloads", () => {
	const bytes = packet(0x32, str("a/b"), u16(5), Buffer.from("payload"));

	it("that lie whole in one chunk are views of it", () => {
		const { packets, decoder } = collect();
		const chunk = Buffer.concat([ACK, bytes, ACK]);
		decoder.push(chunk);
		const { payload } = packets[1] as PublishPacket;
		expect(payload.buffer).toBe(chunk.buffer);
		expect(Buffer.from(payload).toString()).toBe("payload");
	});

	it("that lie whole in one chunk, their header in earlier ones, are views of it", () => {
		const { packets, decoder } = collect();
		for (const byte of byteByByte(bytes.subarray(0, -7))) decoder.push(byte);
		const chunk = Buffer.from(bytes.subarray(-7));
		decoder.push(chunk);
		expect((packets[0] as PublishPacket).payload.buffer).toBe(chunk.buffer);
	});

	it("that span chunks are collected in memory of their own", () => {
		const { packets, decoder } = collect();
		const chunks = [bytes.subarray(0, -5), bytes.subarray(-5, -2), bytes.subarray(-2)].map((it) => Buffer.from(it));
		for (const chunk of chunks) {
			decoder.push(chunk);
			chunk.fill(0);
		}
		const { payload } = packets[0] as PublishPacket;
		expect(Buffer.from(payload).toString()).toBe("payload");
		expect(payload.buffer.byteLength).toBe(7);
	});

	it("are announced once, before they have arrived, with all that is known", () => {
		const admit = vi.fn((_header: unknown) => true);
		const { packets, decoder } = collect({ admit: (header) => admit({ ...header }) });
		for (const byte of byteByByte(bytes.subarray(0, -7))) decoder.push(byte);
		expect(admit).toHaveBeenCalledTimes(1);
		const header = { topic: "a/b", qos: 1, retain: false, dup: false, packetId: 5, payloadSize: 7 };
		expect(admit.mock.lastCall?.[0]).toMatchObject(header);
		expect(packets).toEqual([]);
		decoder.push(bytes.subarray(-7));
		expect(admit).toHaveBeenCalledTimes(1);
		expect(packets).toMatchObject([{ ...header, skipped: false }]);
	});

	it("that are not admitted are skipped in any chunks, and the packets behind them arrive", () => {
		const stream = Buffer.concat([bytes, ACK, bytes]);
		for (const chunks of [[stream], byteByByte(stream)]) {
			const { packets } = decodeAll(chunks, { admit: () => false });
			const skipped = { type: "publish", topic: "a/b", payload: Buffer.alloc(0), payloadSize: 7, skipped: true };
			expect(packets).toMatchObject([skipped, { type: "pubAck" }, skipped]);
		}
	});

	it("of 256 MB that are not admitted cost no memory", () => {
		const { packets, decoder } = collect({ admit: ({ payloadSize }) => payloadSize < 4_194_304 });
		const chunk = Buffer.alloc(65_536);
		const before = process.memoryUsage().arrayBuffers;
		decoder.push(Buffer.concat([Buffer.of(0x30, 255, 255, 255, 127), str("a")]));
		for (let left = 268_435_455 - 3; left > 0; left -= chunk.length)
			decoder.push(chunk.subarray(0, Math.min(left, chunk.length)));
		expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_048_576);
		decoder.push(ACK);
		expect(packets).toMatchObject([{ payloadSize: 268_435_452, skipped: true }, { type: "pubAck" }]);
	});
});

describe("control packets that span chunks", () => {
	it("take memory as their bytes arrive, not as their length announces", () => {
		const { decoder } = collect();
		const before = process.memoryUsage().arrayBuffers;
		decoder.push(Buffer.of(0x90, 0x80, 0x80, 0x40, 0, 1));
		expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(65_536);
	});

	it("are refused over the limit as soon as their length is known", () => {
		const { decoder, packets } = collect({ maxControlPacketSize: 3 });
		expect(decoder.push(Buffer.of(0x90, 3, 0, 1, 2))).toBeUndefined();
		expect(packets).toHaveLength(1);
		expect(decoder.push(Buffer.of(0x90, 4))?.message).toBe(
			"SUBACK with remaining length 4, over our limit of 3 [2.2.3]",
		);
	});

	it("hold nothing of the memory that the next one is collected in", () => {
		const { decoder, packets } = collect({ from: "client" });
		const connect = (secret: string) =>
			packet(0x10, str("MQTT"), 4, 0xc6, u16(0), str("c"), str("w"), str(secret), str("u"), str(secret));
		for (const secret of ["first", "other"]) for (const byte of byteByByte(connect(secret))) decoder.push(byte);
		const [first, other] = packets as ConnectPacket[];
		for (const value of [first?.password, first?.will?.payload]) expect(Buffer.from(value!).toString()).toBe("first");
		for (const value of [other?.password, other?.will?.payload]) expect(Buffer.from(value!).toString()).toBe("other");
	});
});

describe("the end of decoding", () => {
	it("stop() from onPacket leaves the rest of the chunk and all later ones unreported", () => {
		const packets: Packet[] = [];
		const decoder: Decoder = new Decoder({
			from: "server",
			onPacket: (it) => {
				packets.push(it);
				decoder.stop();
			},
		});
		expect(decoder.push(Buffer.concat([ACK, ACK]))).toBeUndefined();
		expect(decoder.push(ACK)).toBeUndefined();
		expect(packets).toHaveLength(1);
	});

	it("after stop() no PUBLISH of the chunk at hand is asked about", () => {
		const admit = vi.fn(() => true);
		const decoder: Decoder = new Decoder({ from: "server", onPacket: () => decoder.stop(), admit });
		const bytes = packet(0x30, str("a"), 1);
		decoder.push(Buffer.concat([bytes, bytes]));
		expect(admit).toHaveBeenCalledTimes(1);
	});

	it("stop() from admit leaves that PUBLISH unreported", () => {
		const { packets, decoder } = collect({
			admit: () => {
				decoder.stop();
				return true;
			},
		});
		decoder.push(packet(0x30, str("a"), 1));
		expect(packets).toEqual([]);
	});

	it("an error that onPacket throws goes through and ends decoding", () => {
		const onPacket = vi.fn(() => {
			throw new Error("no room");
		});
		const decoder = new Decoder({ from: "server", onPacket });
		expect(() => decoder.push(Buffer.concat([ACK, ACK]))).toThrow("no room");
		expect(decoder.push(ACK)).toBeUndefined();
		expect(onPacket).toHaveBeenCalledTimes(1);
	});

	it("packets before an error in the same chunk are reported before push() returns it", () => {
		const { packets, decoder } = collect();
		expect(decoder.push(Buffer.concat([ACK, Buffer.of(0x00), ACK]))?.code).toBe("ERR_MQTT_PROTOCOL");
		expect(packets).toEqual([{ type: "pubAck", packetId: 7 }]);
	});
});
