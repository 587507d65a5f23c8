import { describe, expect, it } from "vitest";
import { received, unread } from "../../test/support/session-parts.js";
import type { PublishPacket } from "./packet.js";
import { Qos2Memory } from "./qos2-memory.js";

const message = received("hello", { qos: 2 });

describe("[MQTT-4.3.3-2] after PUBREC a message is known again by", () => {
	it.each<[string, number, PublishPacket, boolean]>([
		["identifier, topic and payload, whatever DUP says", 7, { ...message, dup: true }, true],
		["not under another identifier", 8, message, false],
		["not with another topic", 7, { ...message, topic: "u" }, false],
		["not with another payload of the same size", 7, received("HELLO", { qos: 2 }), false],
		["not when its payload was not read, though the size agrees", 7, unread(5, { qos: 2 }), false],
	])("%s", (_, packetId, packet, expected) => {
		const memory = new Qos2Memory();
		memory.remember(7, message);
		expect(memory.holds(packetId, packet)).toBe(expected);
	});

	it("its size where the payload was too large to be read", () => {
		const memory = new Qos2Memory();
		memory.remember(7, unread(5_000));
		expect([memory.holds(7, unread(5_000)), memory.holds(7, unread(5_001))]).toEqual([true, false]);
	});

	it("topic and size alone before its payload is read", () => {
		const memory = new Qos2Memory();
		memory.remember(7, message);
		expect([memory.mayHold(7, "t", 5), memory.mayHold(7, "t", 6), memory.mayHold(8, "t", 5)]).toEqual([
			true,
			false,
			false,
		]);
	});
});

describe("the memory of QoS 2", () => {
	it("holds one message an identifier, the last one", () => {
		const memory = new Qos2Memory();
		memory.remember(7, message);
		memory.remember(7, received("other"));
		expect([memory.size, memory.holds(7, message), memory.holds(7, received("other"))]).toEqual([1, false, true]);
	});

	it("is emptied for one identifier, or for all", () => {
		const memory = new Qos2Memory();
		for (const packetId of [7, 8, 9]) memory.remember(packetId, message);
		memory.delete(7);
		expect([memory.has(7), memory.has(8), memory.size]).toEqual([false, true, 2]);
		memory.clear();
		expect([memory.size, memory.holds(8, message)]).toEqual([0, false]);
	});
});
