import { describe, expect, it } from "vitest";
import { end, InboundRecorder, received, start, unread } from "../../test/support/session-parts.js";

const BIG = "x".repeat(400);
/** Room for two messages of 400 bytes; the third is beyond the cap. */
const small = () => new InboundRecorder({ maxBuffered: 1_500, maxPayloadSize: 1_000 });
/** Three messages, and reading goes on. */
const full = () => {
	const recorder = small();
	const all = [1, 2, 3].map((id) => recorder.deliver(BIG, id));
	expect(recorder.inbound.isOverCap).toBe(true);
	recorder.inbound.skip();
	return { recorder, inbound: recorder.inbound, all };
};

describe("the buffer", () => {
	it("is over its cap when un-acknowledged messages need more than maxBuffered, empty payloads not for nothing", () => {
		const recorder = small();
		for (let id = 1; !recorder.inbound.isOverCap; id++) recorder.deliver("", id);
		expect(recorder.inbound.outstanding).toBeLessThan(10);
		for (const delivery of recorder.deliveries) delivery.ack();
		expect(recorder.inbound.isOverCap).toBe(true);
		recorder.acks();
		expect([recorder.inbound.isOverCap, recorder.inbound.buffered]).toEqual([false, 0]);
	});

	it("counts the present connection alone", () => {
		const { recorder, inbound } = full();
		recorder.reconnect();
		expect([inbound.buffered, inbound.isOverCap, inbound.isSkipping]).toEqual([0, false, false]);
	});
});

describe("while reading goes on beyond the cap", () => {
	it("further messages are passed by: no payload, no place, no acknowledgement", () => {
		const { recorder, inbound } = full();
		expect(inbound.admit(received("a", { packetId: 4 }))).toBe(false);
		expect(recorder.receive(received("a", { packetId: 4 }))).toBeUndefined();
		expect([inbound.outstanding, inbound.counters.skipped, recorder.acks()]).toEqual([3, 1, []]);
	});

	it("those that are too large to be read are passed by too", () => {
		const { recorder, inbound } = full();
		expect(recorder.receive(unread(2_000, { packetId: 4 }))).toBeUndefined();
		expect(inbound.outstanding).toBe(3);
	});

	it("further messages are passed by even when there is room again: they would overtake those that were", () => {
		const { recorder, inbound, all } = full();
		recorder.receive(received("a", { packetId: 4 }));
		for (const delivery of all) delivery.ack();
		recorder.acks();
		expect([inbound.isOverCap, inbound.isSkipping]).toEqual([false, true]);
		expect(recorder.receive(received("b", { packetId: 5 }))).toBeUndefined();
	});

	it("a resume is wanted once half of the cap is free, not before", () => {
		const { recorder, inbound, all } = full();
		recorder.receive(received("a", { packetId: 4 }));
		all[0]!.ack();
		recorder.acks();
		expect(inbound.wantsResume).toBe(false);
		all[1]!.ack();
		recorder.acks();
		expect(inbound.wantsResume).toBe(true);
		recorder.reconnect();
		expect(inbound.wantsResume).toBe(false);
	});

	it("nothing is passed by and no resume is wanted when no message comes before there is room", () => {
		const { recorder, inbound, all } = full();
		for (const delivery of all) delivery.ack();
		recorder.acks();
		expect([inbound.wantsResume, inbound.isSkipping]).toEqual([false, false]);
		expect(recorder.receive(received("a", { packetId: 4 }))).toBeDefined();
	});

	it("a message whose payload was begun before is passed by as well, and so is all behind it", () => {
		const { recorder, inbound, all } = full();
		inbound.receive(received("a", { packetId: 4 }));
		expect([recorder.deliveries.length, inbound.counters.skipped]).toEqual([3, 1]);
		for (const delivery of all) delivery.ack();
		recorder.acks();
		expect([inbound.isSkipping, inbound.wantsResume]).toEqual([true, true]);
	});

	it("a message whose payload was not kept is passed by, though there is room when it ends", () => {
		const { recorder, inbound, all } = full();
		expect(inbound.admit(received("a", { packetId: 4 }))).toBe(false);
		for (const delivery of all) delivery.ack();
		recorder.acks();
		inbound.receive(unread(1, { packetId: 4 }));
		expect([recorder.deliveries.length, inbound.wantsResume]).toEqual([3, true]);
	});

	it("a copy of a message that is here is a copy: it takes no room", () => {
		const { recorder, inbound, all } = full();
		expect(inbound.admit(received(BIG, { packetId: 2, dup: true }))).toBe(true);
		recorder.receive(received(BIG, { packetId: 2, dup: true }));
		expect([inbound.counters.copies, inbound.counters.skipped, all[1]!.state]).toEqual([1, 0, "live"]);
	});

	it("a message that is passed by takes its identifier from an older one", () => {
		const { recorder, all } = full();
		recorder.receive(received("another", { packetId: 2 }));
		expect([all[1]!.state, all[1]!.ack(), recorder.acks()]).toEqual(["dead", false, []]);
	});

	it("a redelivery still adopts its orphan", () => {
		const recorder = small();
		const orphan = recorder.deliver("orphan", 9);
		recorder.reconnect();
		for (const id of [1, 2, 3]) recorder.deliver(BIG, id);
		recorder.inbound.skip();
		expect(recorder.inbound.admit(received("orphan", { packetId: 9, dup: true }))).toBe(true);
		recorder.receive(received("orphan", { packetId: 9, dup: true }));
		expect(orphan.state).toBe("live");
	});

	it("[MQTT-4.3.3-2] a QoS 2 message is compared by its payload: another one of equal size is not answered unseen", () => {
		const recorder = small();
		recorder.deliver("aaa", 9, { qos: 2 }).ack();
		expect(recorder.acks()).toEqual(["pubRec 9"]);
		for (const id of [1, 2, 3]) recorder.deliver(BIG, id).passOver();
		recorder.inbound.skip();
		recorder.receive(received("bbb", { qos: 2, packetId: 9 }));
		expect(recorder.acks()).toEqual([]);
	});

	it("[MQTT-4.3.3-2] an equal QoS 2 message after PUBREC is still answered", () => {
		const recorder = small();
		recorder.deliver("aaa", 9, { qos: 2 }).ack();
		recorder.acks();
		for (const id of [1, 2, 3]) recorder.deliver(BIG, id).passOver();
		recorder.inbound.skip();
		recorder.receive(received("aaa", { qos: 2, packetId: 9 }));
		expect(recorder.acks()).toEqual(["pubRec 9"]);
	});
});

describe("QoS 0", () => {
	it("may use a quarter of maxBuffered, and is dropped and counted beyond", () => {
		const recorder = new InboundRecorder({ maxBuffered: 4_000, maxPayloadSize: 1_000 });
		const taken = [1, 2, 3].map(() => recorder.receive(received("x".repeat(200), { qos: 0 })));
		expect(taken.map((delivery) => delivery !== undefined)).toEqual([true, true, false]);
		expect([recorder.inbound.counters.qos0Dropped, recorder.inbound.buffered]).toEqual([1, 0]);
	});

	it.each(["ack", "release"] as const)("makes room by %s(), once", (end) => {
		const recorder = new InboundRecorder({ maxBuffered: 4_000, maxPayloadSize: 1_000 });
		const message = received("x".repeat(200), { qos: 0 });
		const first = recorder.receive(message)!;
		recorder.receive(message);
		first[end]();
		first.ack();
		first.release();
		expect([recorder.receive(message), recorder.receive(message)].map((one) => one !== undefined)).toEqual([
			true,
			false,
		]);
	});
});

describe("while the binding stops", () => {
	it("what comes is passed by, un-acknowledged, and no resume is wanted for it", () => {
		const recorder = small();
		recorder.inbound.drain();
		expect(recorder.receive(received("a"))).toBeUndefined();
		expect(recorder.receive(received("a", { qos: 0 }))).toBeUndefined();
		expect([recorder.acks(), recorder.inbound.outstanding, recorder.inbound.wantsResume]).toEqual([[], 0, false]);
	});

	it("what handlers accept is still acknowledged, and passing over lets it past the others", () => {
		const recorder = small();
		const [stuck, running] = [recorder.deliver("a", 1), start(recorder.deliver("b", 2))];
		recorder.inbound.drain();
		end(running, true);
		for (const delivery of [...recorder.inbound.unacknowledged()]) delivery.passOver();
		expect([recorder.acks(), stuck.passedOver]).toEqual([["pubAck 2"], true]);
	});
});
