import { describe, expect, it } from "vitest";
import { end, InboundRecorder, received, start, unread } from "../../test/support/session-parts.js";
import type { PublishPacket } from "./packet.js";

const again = (text: string, fields: Partial<PublishPacket> = {}) => received(text, { dup: true, ...fields });

describe("what is acknowledged", () => {
	it.each([
		["PUBACK at QoS 1", 1, ["pubAck 1"]],
		["PUBREC at QoS 2", 2, ["pubRec 1"]],
		["nothing at QoS 0", 0, []],
	] as const)("[MQTT-3.3.4-1] %s", (_, qos, acks) => {
		const recorder = new InboundRecorder();
		recorder.receive(received("a", { qos }))!.ack();
		expect(recorder.acks()).toEqual(acks);
	});

	it("[MQTT-2.3.1-6] each acknowledgement carries the identifier of its PUBLISH", () => {
		const recorder = new InboundRecorder();
		for (const packetId of [7, 65_535, 1]) recorder.deliver(`message ${packetId}`, packetId).ack();
		expect(recorder.acks()).toEqual(["pubAck 7", "pubAck 65535", "pubAck 1"]);
	});

	it("[MQTT-4.5.0-2] every PUBLISH that the app accepted, and none before, however it failed until then", () => {
		const recorder = new InboundRecorder();
		const delivery = recorder.deliver("a", 1);
		end(start(delivery), false);
		end(start(delivery), false);
		expect(recorder.acks()).toEqual([]);
		end(start(delivery), true);
		expect(recorder.acks()).toEqual(["pubAck 1"]);
	});

	it("a delivery is acknowledged once, however often it is accepted", () => {
		const recorder = new InboundRecorder();
		const delivery = recorder.deliver("a", 1);
		expect(delivery.ack()).toBe(true);
		expect(delivery.ack()).toBe(true);
		expect(recorder.acks()).toEqual(["pubAck 1"]);
		expect(delivery.ack()).toBe(false);
		expect([recorder.acks(), recorder.inbound.counters.stale]).toEqual([[], 0]);
	});

	it("nothing, when nobody will ever read: no memory, no place", () => {
		const recorder = new InboundRecorder({ delivers: false });
		expect(recorder.inbound.admit(received("a"))).toBe(false);
		recorder.receive(received("a"));
		expect([recorder.acks(), recorder.inbound.outstanding, recorder.inbound.counters.unread]).toEqual([[], 0, 1]);
	});
});

describe("the order of acknowledgements", () => {
	it("[MQTT-4.6.0-2] [MQTT-4.6.0-3] PUBACK and PUBREC leave in the order in which the messages came, whatever order handlers end in", () => {
		const recorder = new InboundRecorder();
		const all = [1, 2, 3, 4].map((id) => start(recorder.deliver(`m${id}`, id, { qos: id % 2 === 0 ? 2 : 1 })));
		for (const index of [2, 1, 3]) end(all[index]!, true);
		expect(recorder.acks()).toEqual([]);
		end(all[0]!, true);
		expect(recorder.acks()).toEqual(["pubAck 1", "pubRec 2", "pubAck 3", "pubRec 4"]);
	});

	it("a delivery whose attempt failed is overtaken, and acknowledged at once when it is accepted and nothing older is open", () => {
		const recorder = new InboundRecorder();
		const [first, second] = [recorder.deliver("a", 1), recorder.deliver("b", 2)];
		end(start(first), false);
		end(start(second), true);
		expect(recorder.acks()).toEqual(["pubAck 2"]);
		end(start(first), true);
		expect(recorder.acks()).toEqual(["pubAck 1"]);
	});

	it("with ackOrder strict nothing is passed over: what follows a refused message waits", () => {
		const recorder = new InboundRecorder({ strict: true });
		const [first, second] = [recorder.deliver("a", 1), recorder.deliver("b", 2)];
		end(start(first), false);
		end(start(second), true);
		recorder.inbound.passOverBefore(second.sequence);
		expect(recorder.acks()).toEqual([]);
		end(start(first), true);
		expect(recorder.acks()).toEqual(["pubAck 1", "pubAck 2"]);
	});

	it("all that settled ones wait behind can be passed over at once", () => {
		const recorder = new InboundRecorder();
		const all = [1, 2, 3, 4].map((id) => recorder.deliver(`m${id}`, id));
		all[2]!.ack();
		expect(recorder.inbound.newestWaiting).toBe(all[2]!.sequence);
		recorder.inbound.passOverBefore(all[2]!.sequence);
		expect(recorder.acks()).toEqual(["pubAck 3"]);
		expect([all[0]!.passedOver, all[1]!.passedOver, all[3]!.passedOver]).toEqual([true, true, false]);
	});

	it.each([
		["is accepted", (recorder: InboundRecorder) => void recorder.deliver("a", 1).ack()],
		["is passed over", (recorder: InboundRecorder) => recorder.deliver("a", 1).passOver()],
		[
			"loses its identifier to another message",
			(recorder: InboundRecorder) => {
				recorder.deliver("a", 1);
				recorder.deliver("b", 2).ack();
				recorder.news();
				recorder.deliver("c", 1);
			},
		],
	])("it is told that acknowledgements may leave when a message %s", (_, act) => {
		const recorder = new InboundRecorder();
		recorder.inbound.onAckReady = () => recorder.events.push("ready");
		act(recorder);
		expect(recorder.events).toContain("ready");
	});
});

describe("a PUBLISH whose identifier is un-acknowledged on the same connection", () => {
	it("is a copy when DUP is set and it is equal: no call, no place, no second acknowledgement", () => {
		const recorder = new InboundRecorder();
		const delivery = recorder.deliver("a", 1);
		expect(recorder.receive(again("a"))).toBeUndefined();
		expect([recorder.inbound.outstanding, recorder.inbound.counters.copies]).toEqual([1, 1]);
		delivery.ack();
		recorder.receive(again("a"));
		expect(recorder.acks()).toEqual(["pubAck 1"]);
		expect(recorder.acks()).toEqual([]);
	});

	it.each<[string, PublishPacket]>([
		["DUP is not set", received("a")],
		["the payload differs", again("b")],
		["the topic differs", again("a", { topic: "u" })],
		["the QoS differs", again("a", { qos: 2 })],
	])("is another message when %s: the older delivery loses its place and its right", (_, packet) => {
		const recorder = new InboundRecorder();
		const older = recorder.deliver("a", 1);
		const newer = recorder.receive(packet)!;
		expect([older.state, older.deliverable, newer.deliverable]).toEqual(["dead", false, true]);
		expect(recorder.news()).toContain("died a");
		expect(older.ack()).toBe(false);
		expect(recorder.acks()).toEqual([]);
		newer.ack();
		expect(recorder.acks()).toHaveLength(1);
		expect(recorder.inbound.counters.stale).toBe(1);
	});

	it("is delivered only when the handler of the older message has ended", () => {
		const recorder = new InboundRecorder();
		const older = start(recorder.deliver("a", 1));
		const newer = recorder.deliver("b", 1);
		expect([newer.deliverable, older.successor]).toEqual([false, newer]);
		end(older, true);
		expect([newer.deliverable, recorder.acks()]).toEqual([true, []]);
	});

	it("waits for the handler of the first when the identifier is given to a third message meanwhile", () => {
		const recorder = new InboundRecorder();
		const first = start(recorder.deliver("a", 1));
		const second = recorder.deliver("b", 1);
		const third = recorder.deliver("c", 1);
		expect([second.state, third.deliverable, first.successor]).toEqual(["dead", false, third]);
		end(first, false);
		expect(third.deliverable).toBe(true);
	});

	it("frees what waited behind the older delivery: that may be acknowledged now", () => {
		const recorder = new InboundRecorder();
		recorder.deliver("a", 1);
		recorder.deliver("b", 2).ack();
		recorder.deliver("c", 1);
		expect(recorder.acks()).toEqual(["pubAck 2"]);
	});

	it("takes the older one's room back", () => {
		const recorder = new InboundRecorder();
		recorder.deliver("a".repeat(100), 1);
		const before = recorder.inbound.buffered;
		recorder.deliver("b".repeat(100), 1);
		expect(recorder.inbound.buffered).toBe(before);
	});
});

describe("after our PUBACK", () => {
	it.each([true, false])("[MQTT-4.3.2-2] the identifier stands for a new message, with DUP %s", (dup) => {
		const recorder = new InboundRecorder();
		recorder.deliver("a", 1).ack();
		expect(recorder.acks()).toEqual(["pubAck 1"]);
		recorder.deliver("a", 1, { dup }).ack();
		expect(recorder.acks()).toEqual(["pubAck 1"]);
	});

	it("[MQTT-4.3.2-2] a PUBACK leaves only when the app has accepted: until then the message is not ours", () => {
		const recorder = new InboundRecorder();
		start(recorder.deliver("a", 1));
		expect(recorder.acks()).toEqual([]);
	});
});

describe("QoS 2", () => {
	const two = (text: string, fields: Partial<PublishPacket> = {}) => received(text, { qos: 2, packetId: 5, ...fields });
	/** Delivered, accepted and answered with PUBREC. */
	const answered = (recorder: InboundRecorder) => {
		recorder.receive(two("a"))!.ack();
		expect(recorder.acks()).toEqual(["pubRec 5"]);
		recorder.news();
	};

	it.each([true, false])(
		"[MQTT-4.3.3-2] between PUBREC and PUBREL an equal PUBLISH is answered and not delivered, DUP %s",
		(dup) => {
			const recorder = new InboundRecorder();
			answered(recorder);
			expect(recorder.receive(two("a", { dup }))).toBeUndefined();
			expect([recorder.acks(), recorder.news()]).toEqual([["pubRec 5"], []]);
		},
	);

	it("[MQTT-4.3.3-2] it is still remembered on the next connection of the session", () => {
		const recorder = new InboundRecorder();
		answered(recorder);
		recorder.reconnect();
		recorder.news();
		recorder.receive(two("a", { dup: true }));
		expect([recorder.acks(), recorder.news()]).toEqual([["pubRec 5"], []]);
	});

	it("one that differs is another message: delivered, and the old memory goes", () => {
		const recorder = new InboundRecorder();
		answered(recorder);
		expect(recorder.receive(two("b"))).toBeDefined();
		recorder.receive(two("a"))!.ack();
		expect(recorder.acks()).toEqual(["pubRec 5"]);
	});

	it("after PUBREL the identifier stands for a new message, equal or not", () => {
		const recorder = new InboundRecorder();
		answered(recorder);
		recorder.inbound.released(5);
		expect(recorder.receive(two("a"))).toBeDefined();
	});

	it("a lost session empties the memory", () => {
		const recorder = new InboundRecorder();
		answered(recorder);
		recorder.reconnect({ resumed: false });
		expect(recorder.receive(two("a", { dup: true }))).toBeDefined();
	});

	it("[MQTT-4.6.0-3] a second PUBREC waits for its turn as well, and is written once", () => {
		const recorder = new InboundRecorder();
		answered(recorder);
		const blocking = recorder.deliver("b", 6);
		recorder.receive(two("a", { dup: true }));
		recorder.receive(two("a", { dup: true }));
		expect(recorder.acks()).toEqual([]);
		blocking.ack();
		expect(recorder.acks()).toEqual(["pubAck 6", "pubRec 5"]);
	});

	it("a second PUBREC that waits is not written after PUBREL, and not remembered for the identifier's next message", () => {
		const recorder = new InboundRecorder();
		answered(recorder);
		const blocking = recorder.deliver("b", 6);
		recorder.receive(two("a", { dup: true }));
		recorder.inbound.released(5);
		blocking.ack();
		expect(recorder.acks()).toEqual(["pubAck 6"]);
		expect(recorder.receive(two("a"))).toBeDefined();
	});

	it("a second PUBREC that waits when the connection ends is no delivery that an equal message could adopt", () => {
		const recorder = new InboundRecorder();
		answered(recorder);
		recorder.deliver("b", 6);
		recorder.receive(two("a", { dup: true }));
		recorder.reconnect();
		expect(recorder.receive(two("a", { packetId: 9, dup: true }))).toBeDefined();
		recorder.reconnect({ resumed: false });
		expect(recorder.deliveries.filter(({ lost }) => lost).map(({ packetId }) => packetId)).toEqual([6, 9]);
	});

	it("a QoS 1 PUBLISH of the identifier is another message", () => {
		const recorder = new InboundRecorder();
		answered(recorder);
		expect(recorder.receive(received("a", { packetId: 5, dup: true }))).toBeDefined();
	});
});

describe("a message that is too large to be read", () => {
	it("is delivered without its payload, with its topic and size, and the connection goes on", () => {
		const recorder = new InboundRecorder({ maxPayloadSize: 10 });
		expect(recorder.inbound.admit(unread(11))).toBe(false);
		expect(recorder.receive(unread(11))!.packet).toMatchObject({ topic: "t", payloadSize: 11, skipped: true });
		expect(recorder.receive(received("small", { packetId: 2 }))).toBeDefined();
	});

	it("is known again by its size where the payload would be compared", () => {
		const recorder = new InboundRecorder({ maxPayloadSize: 10 });
		recorder.receive(unread(11));
		expect(recorder.receive(unread(11, { dup: true }))).toBeUndefined();
		expect(recorder.receive(unread(12, { dup: true }))).toBeDefined();
	});

	it("at QoS 0 is dropped and counted", () => {
		const recorder = new InboundRecorder({ maxPayloadSize: 10 });
		expect(recorder.receive(unread(11, { qos: 0 }))).toBeUndefined();
		expect(recorder.inbound.counters.qos0Dropped).toBe(1);
	});
});
