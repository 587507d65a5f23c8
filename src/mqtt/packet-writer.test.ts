import { describe, expect, it } from "vitest";
import { decodeAll } from "../../test/support/decode-all.js";
import { toPublish } from "../../test/support/session-parts.js";
import { PacketWriter } from "./packet-writer.js";

function setup() {
	const writes: Buffer[] = [];
	const state = { takesMore: true };
	const writer = new PacketWriter((bytes) => {
		writes.push(bytes);
		return state.takesMore;
	});
	const packets = () => {
		const { packets, error } = decodeAll(writes);
		expect(error).toBeUndefined();
		return packets;
	};
	return { writer, writes, packets, state };
}

describe("PacketWriter", () => {
	it("hands many small packets over as one buffer, in order", () => {
		const { writer, writes, packets } = setup();
		writer.ack("pubAck", 7);
		writer.publish(toPublish("a", 1, { packetId: 2 }));
		writer.ack("pubComp", 65_535);
		expect(writes).toHaveLength(0);
		expect(writer.flush()).toBe(true);
		expect(writes).toHaveLength(1);
		expect(packets()).toMatchObject([
			{ type: "pubAck", packetId: 7 },
			{ type: "publish", packetId: 2, topic: "t", payload: Buffer.from("a") },
			{ type: "pubComp", packetId: 65_535 },
		]);
	});

	it("writes nothing when there is nothing", () => {
		const { writer, writes } = setup();
		expect([writer.flush(), writes.length]).toEqual([true, 0]);
		writer.ack("pubAck", 1);
		writer.flush();
		writer.flush();
		expect(writes).toHaveLength(1);
	});

	it("[MQTT-4.3.1-1] [MQTT-2.3.1-5] writes a QoS 0 publish without DUP and without an identifier", () => {
		const { writer, writes } = setup();
		writer.publish(toPublish("hi", 0, { retain: true }));
		writer.flush();
		expect(Buffer.concat(writes).toString("hex")).toBe("3105000174" + "6869");
	});

	it("[MQTT-3.3.1-1] writes DUP where the publish is sent again", () => {
		const { writer, packets } = setup();
		writer.publish(toPublish("a", 1, { packetId: 2, dup: true }));
		writer.flush();
		expect(packets()).toMatchObject([{ dup: true, qos: 1, packetId: 2 }]);
	});

	it("hands a large payload over as it is, without a copy, behind what was written before", () => {
		const { writer, writes, packets } = setup();
		const payload = Buffer.alloc(100_000, "x");
		writer.ack("pubAck", 1);
		writer.publish(toPublish("", 1, { packetId: 2, payload }));
		writer.ack("pubAck", 3);
		writer.flush();
		expect(writes.some((bytes) => bytes.buffer === payload.buffer)).toBe(true);
		expect(packets()).toMatchObject([{ packetId: 1 }, { packetId: 2, payload }, { packetId: 3 }]);
	});

	it.each([16_384, 16_385, 65_536])("loses no byte of payloads of %s bytes, whatever lies before them", (size) => {
		const { writer, packets } = setup();
		const all = [1, 2, 3, 4, 5, 6].map((packetId) => Buffer.alloc(size, packetId));
		for (const [index, payload] of all.entries()) {
			writer.ack("pubAck", index + 1);
			writer.publish(toPublish("", 1, { packetId: index + 1, payload }));
		}
		writer.flush();
		const payloads = packets().flatMap((packet) => (packet.type === "publish" ? [packet.payload] : []));
		expect(payloads).toEqual(all);
	});

	it("writes a topic of 65,535 bytes with the largest payload that it copies", () => {
		const { writer, packets } = setup();
		const topic = "t".repeat(65_535);
		writer.ack("pubAck", 1);
		writer.publish(toPublish("", 1, { packetId: 2, topic, topicLength: 65_535, payload: Buffer.alloc(16_384) }));
		writer.flush();
		expect(packets()).toMatchObject([{ packetId: 1 }, { topic, packetId: 2 }]);
	});

	it("leaves bytes that were handed over alone", () => {
		const { writer, writes } = setup();
		writer.ack("pubAck", 1);
		writer.flush();
		const before = Buffer.from(writes[0]!);
		for (let i = 0; i < 40_000; i++) writer.ack("pubAck", 2);
		writer.flush();
		expect(writes[0]).toEqual(before);
	});

	it("puts a rare packet behind what was written before it", () => {
		const { writer, packets } = setup();
		writer.ack("pubAck", 1);
		writer.packet({ type: "subscribe", packetId: 9, subscriptions: [{ filter: "#", qos: 1 }] });
		expect(packets()).toMatchObject([{ type: "pubAck" }, { type: "subscribe" }]);
	});

	it("says that the socket is full, and has taken the packet at hand all the same", () => {
		const { writer, state, packets } = setup();
		state.takesMore = false;
		let taken = 0;
		for (let takesMore = true; takesMore; taken++)
			takesMore = writer.publish(toPublish("x".repeat(1_000), 1, { packetId: 2 }));
		expect(taken).toBeGreaterThan(1);
		expect(writer.publish(toPublish("", 1, { packetId: 3, payload: Buffer.alloc(20_000) }))).toBe(false);
		expect(writer.packet({ type: "pingReq" })).toBe(false);
		expect(packets()).toHaveLength(taken + 2);
	});
});
