import { describe, expect, it } from "vitest";
import { end, InboundRecorder, received, start, unread } from "../../test/support/session-parts.js";

describe("when the connection ends", () => {
	it("every un-acknowledged delivery becomes an orphan: it sends nothing and may not be started", () => {
		const recorder = new InboundRecorder();
		const waiting = recorder.deliver("a", 1);
		const accepted = recorder.deliver("b", 2);
		accepted.ack();
		recorder.inbound.disconnected(false);
		expect([waiting.state, waiting.deliverable, accepted.state]).toEqual(["orphan", false, "orphan"]);
		expect([recorder.acks(), recorder.inbound.orphans, recorder.inbound.outstanding]).toEqual([[], 2, 0]);
		expect(recorder.news().at(-1)).toBe("orphaned");
	});

	it("an acknowledgement that was taken out has left: its delivery is no orphan", () => {
		const recorder = new InboundRecorder();
		recorder.deliver("a", 1).ack();
		recorder.acks();
		recorder.inbound.disconnected(false);
		expect(recorder.inbound.orphans).toBe(0);
	});

	it("a late accept acknowledges nothing on the next connection, not even the same identifier", () => {
		const recorder = new InboundRecorder();
		const old = start(recorder.deliver("a", 1));
		recorder.reconnect();
		const other = recorder.deliver("b", 1);
		end(old, true);
		expect(recorder.acks()).toEqual([]);
		other.ack();
		expect(recorder.acks()).toEqual(["pubAck 1"]);
	});

	it("a late accept of one that was passed over acknowledges nothing on the next connection either", () => {
		const recorder = new InboundRecorder();
		const old = recorder.deliver("a", 1);
		end(start(old), false);
		recorder.inbound.disconnected(false);
		old.ack();
		recorder.inbound.connected(true);
		recorder.deliver("b", 1).ack();
		expect(recorder.acks()).toEqual(["pubAck 1"]);
		expect(recorder.acks()).toEqual([]);
	});

	it("QoS 0 just goes on", () => {
		const recorder = new InboundRecorder();
		const delivery = recorder.receive(received("a", { qos: 0 }))!;
		recorder.reconnect({ resumed: false });
		expect([delivery.state, delivery.deliverable, recorder.inbound.orphans]).toEqual(["live", true, 0]);
	});
});

describe("a redelivery with DUP in a resumed session", () => {
	it("[MQTT-3.1.2-4] adopts the equal orphan, with its stage and attempts, and is acknowledged on the new connection", () => {
		const recorder = new InboundRecorder();
		const delivery = recorder.deliver("a", 1);
		end(start(delivery), false);
		delivery.stage = "held";
		recorder.reconnect();
		recorder.news();
		expect(recorder.receive(received("a", { dup: true }))).toBeUndefined();
		expect(recorder.news()).toEqual(["adopted a"]);
		expect([delivery.state, delivery.stage, delivery.attempts, delivery.passedOver]).toEqual(["live", "held", 1, true]);
		delivery.ack();
		expect([recorder.acks(), recorder.inbound.counters.adopted]).toEqual([["pubAck 1"], 1]);
	});

	it("is not called again when its orphan runs: that handler's answer counts", () => {
		const recorder = new InboundRecorder();
		const delivery = start(recorder.deliver("a", 1));
		recorder.reconnect();
		recorder.receive(received("a", { dup: true }));
		expect(recorder.deliveries).toEqual([delivery]);
		end(delivery, true);
		expect(recorder.acks()).toEqual(["pubAck 1"]);
	});

	it("is acknowledged at once, in its turn, when its orphan was accepted meanwhile", () => {
		const recorder = new InboundRecorder();
		const delivery = start(recorder.deliver("a", 2));
		recorder.inbound.disconnected(false);
		end(delivery, true);
		recorder.inbound.connected(true);
		const earlier = recorder.deliver("b", 1);
		recorder.receive(received("a", { packetId: 2, dup: true }));
		expect(recorder.acks()).toEqual([]);
		earlier.ack();
		expect(recorder.acks()).toEqual(["pubAck 1", "pubAck 2"]);
	});

	it("[MQTT-4.6.0-2] takes its place by the order of the new connection", () => {
		const recorder = new InboundRecorder();
		for (const id of [1, 2, 3]) recorder.deliver(`m${id}`, id).ack();
		recorder.reconnect();
		for (const id of [3, 1, 2]) recorder.receive(received(`m${id}`, { packetId: id, dup: true }));
		expect(recorder.acks()).toEqual(["pubAck 3", "pubAck 1", "pubAck 2"]);
	});

	it("tells that its acknowledgement may leave when its orphan was accepted meanwhile", () => {
		const recorder = new InboundRecorder();
		const delivery = recorder.deliver("a", 1);
		recorder.inbound.disconnected(false);
		delivery.ack();
		recorder.inbound.connected(true);
		recorder.inbound.onAckReady = () => recorder.events.push("ready");
		recorder.receive(received("a", { dup: true }));
		expect(recorder.events).toContain("ready");
	});

	it("that was passed over waits for what arrived before it on the new connection", () => {
		const recorder = new InboundRecorder();
		const refused = recorder.deliver("a", 1);
		end(start(refused), false);
		recorder.reconnect();
		const earlier = recorder.deliver("b", 2);
		recorder.receive(received("a", { dup: true }));
		refused.ack();
		expect(recorder.acks()).toEqual([]);
		earlier.ack();
		expect(recorder.acks()).toEqual(["pubAck 2", "pubAck 1"]);
	});

	it("adopts the orphan of equal identifier first", () => {
		const recorder = new InboundRecorder();
		const [first, second] = [recorder.deliver("same", 1), recorder.deliver("same", 2)];
		recorder.reconnect();
		recorder.receive(received("same", { packetId: 2, dup: true }));
		expect([first.state, second.state]).toEqual(["orphan", "live"]);
	});

	it("adopts the oldest equal orphan where the broker numbers anew, and is acknowledged by its new identifier", () => {
		const recorder = new InboundRecorder();
		const [first, second] = [recorder.deliver("same", 7), recorder.deliver("same", 8)];
		recorder.reconnect();
		recorder.receive(received("same", { packetId: 1, dup: true }));
		expect([first.state, second.state]).toEqual(["live", "orphan"]);
		first.ack();
		expect(recorder.acks()).toEqual(["pubAck 1"]);
	});

	it("adopts one orphan, not two: the next equal one is another message", () => {
		const recorder = new InboundRecorder();
		recorder.deliver("same", 1);
		recorder.reconnect();
		recorder.receive(received("same", { packetId: 1, dup: true }));
		expect(recorder.receive(received("same", { packetId: 2, dup: true }))).toBeDefined();
	});

	it("takes the identifier from a message that the broker gave up for it", () => {
		const recorder = new InboundRecorder();
		const orphan = recorder.deliver("a", 1);
		recorder.reconnect();
		const other = start(recorder.deliver("b", 7));
		recorder.receive(received("a", { packetId: 7, dup: true }));
		expect([other.state, orphan.state, orphan.deliverable]).toEqual(["dead", "live", false]);
		end(other, true);
		expect([orphan.deliverable, recorder.acks()]).toEqual([true, []]);
	});

	it("adopts an orphan that was too large to be read by its size", () => {
		const recorder = new InboundRecorder({ maxPayloadSize: 10 });
		const delivery = recorder.receive(unread(11))!;
		recorder.reconnect();
		expect(recorder.receive(unread(11, { dup: true }))).toBeUndefined();
		expect(delivery.state).toBe("live");
	});

	it("that is equal to no orphan is delivered: DUP alone never drops a message", () => {
		const recorder = new InboundRecorder();
		recorder.deliver("a", 1);
		recorder.reconnect();
		expect(recorder.receive(received("b", { packetId: 2, dup: true }))).toBeDefined();
		expect(recorder.receive(received("a", { packetId: 3, dup: true, topic: "u" }))).toBeDefined();
	});
});

describe("a redelivery without DUP", () => {
	it("is a message of its own: nothing is adopted", () => {
		const recorder = new InboundRecorder();
		const orphan = recorder.deliver("a", 1);
		recorder.reconnect();
		expect(recorder.deliver("a", 1).deliverable).toBe(true);
		expect([orphan.state, recorder.inbound.counters.adopted]).toEqual(["dead", 0]);
	});

	it("starts only when the handler of the orphan equal in identifier too has ended", () => {
		const recorder = new InboundRecorder();
		const orphan = start(recorder.deliver("a", 1));
		recorder.reconnect();
		const resent = recorder.deliver("a", 1);
		expect([resent.deliverable, orphan.successor]).toEqual([false, resent]);
		end(orphan, true);
		expect([resent.deliverable, recorder.acks()]).toEqual([true, []]);
	});

	it("still waits for that handler when the connection is lost once more", () => {
		const recorder = new InboundRecorder();
		const orphan = start(recorder.deliver("a", 1));
		recorder.reconnect();
		recorder.deliver("a", 1);
		recorder.reconnect();
		const third = recorder.deliver("a", 1);
		expect([third.deliverable, orphan.successor]).toEqual([false, third]);
		end(orphan, true);
		expect(third.deliverable).toBe(true);
	});

	it("does not wait for a handler that has another message, or another identifier", () => {
		const recorder = new InboundRecorder();
		start(recorder.deliver("a", 1));
		start(recorder.deliver("b", 2));
		recorder.reconnect();
		expect([recorder.deliver("c", 1).deliverable, recorder.deliver("a", 3).deliverable]).toEqual([true, true]);
	});
});

describe("an orphan is forgotten", () => {
	it("when its identifier comes with another message, unless it runs", () => {
		const recorder = new InboundRecorder();
		const [waiting, running] = [recorder.deliver("a", 1), start(recorder.deliver("b", 2))];
		recorder.reconnect();
		recorder.deliver("c", 1);
		recorder.deliver("d", 2);
		expect([waiting.state, running.state]).toEqual(["dead", "orphan"]);
		expect(recorder.news()).toContain("died a");
	});

	it("when a connection that was online for long enough ends without its redelivery, unless it runs", () => {
		const recorder = new InboundRecorder();
		const [waiting, running] = [recorder.deliver("a", 1), start(recorder.deliver("b", 2))];
		recorder.reconnect();
		recorder.inbound.disconnected(true);
		expect([waiting.state, running.state]).toEqual(["dead", "orphan"]);
	});

	it("not when the connection that made it an orphan was long, or when the next ones were short", () => {
		const recorder = new InboundRecorder();
		const delivery = recorder.deliver("a", 1);
		recorder.reconnect({ stable: true });
		recorder.reconnect({ stable: false });
		expect(delivery.state).toBe("orphan");
	});

	it("when orphans need more than maxBuffered: the oldest first, those that run stay", () => {
		const recorder = new InboundRecorder({ maxBuffered: 1_600, maxPayloadSize: 1_000 });
		const running = start(recorder.deliver("a".repeat(300), 1));
		const [old, young] = [recorder.deliver("b".repeat(300), 2), recorder.deliver("c".repeat(300), 3)];
		recorder.inbound.disconnected(false);
		recorder.inbound.connected(true);
		const last = recorder.deliver("d".repeat(300), 4);
		recorder.inbound.disconnected(false);
		expect([running.state, old.state, young.state, last.state]).toEqual(["orphan", "dead", "orphan", "orphan"]);
	});

	it("when it is released, which acknowledges nothing, and ack() after that says so", () => {
		const recorder = new InboundRecorder();
		const delivery = recorder.deliver("a", 1);
		recorder.inbound.disconnected(false);
		delivery.release();
		expect([delivery.state, recorder.inbound.orphans, delivery.ack()]).toEqual(["dead", 0, false]);
	});

	it("not by releasing one that is live or runs: the broker, or its handler, still has to do with it", () => {
		const recorder = new InboundRecorder();
		const [live, running] = [recorder.deliver("a", 1), start(recorder.deliver("b", 2))];
		live.release();
		expect([live.ack(), recorder.acks()]).toEqual([true, ["pubAck 1"]]);
		recorder.inbound.disconnected(false);
		running.release();
		expect(running.state).toBe("orphan");
	});
});

describe("when the session is lost", () => {
	it("[MQTT-3.1.2-6] no redelivery adopts anything of it, and no late accept is acknowledged", () => {
		const recorder = new InboundRecorder();
		const delivery = start(recorder.deliver("a", 1));
		recorder.reconnect({ resumed: false });
		const next = recorder.deliver("a", 1, { dup: true });
		expect(next).not.toBe(delivery);
		end(delivery, true);
		expect(recorder.acks()).toEqual([]);
		expect(recorder.inbound.counters.stale).toBe(1);
	});

	it("deliveries that never reached the app are still delivered, oldest first, though nobody can be told", () => {
		const recorder = new InboundRecorder();
		const [first, started, second] = [
			recorder.deliver("a", 1),
			start(recorder.deliver("b", 2)),
			recorder.deliver("c", 3),
		];
		recorder.news();
		recorder.reconnect({ resumed: false });
		expect(recorder.news()).toEqual(["orphaned", "died a", "died b", "died c"]);
		expect([first.lost, started.lost, second.lost]).toEqual([true, false, true]);
		expect([first.deliverable, started.deliverable]).toEqual([true, false]);
		expect([first.ack(), recorder.acks(), first.lost]).toEqual([false, [], false]);
	});

	it.each([
		["was too large to be read", unread(2_000), () => {}],
		[
			"was dropped unseen and not acknowledged yet",
			received("a", { packetId: 2 }),
			(recorder: InboundRecorder) => {
				recorder.deliveries[1]!.ack();
			},
		],
	])("what %s is not delivered to the app", (_, packet, act) => {
		const recorder = new InboundRecorder({ maxPayloadSize: 1_000 });
		recorder.deliver("first", 1);
		const delivery = recorder.receive({ ...packet, packetId: 2 })!;
		act(recorder);
		recorder.reconnect({ resumed: false });
		expect([delivery.state, delivery.lost, delivery.deliverable]).toEqual(["dead", false, false]);
	});

	it("those that are lost stay within maxBuffered: the oldest are dropped and counted", () => {
		const recorder = new InboundRecorder({ maxBuffered: 1_000, maxPayloadSize: 1_000 });
		const all = [1, 2].map((id) => recorder.deliver("x".repeat(250), id));
		recorder.reconnect({ resumed: false });
		const more = [1, 2].map((id) => recorder.deliver("y".repeat(250), id));
		recorder.reconnect({ resumed: false });
		expect([...all, ...more].map(({ lost }) => lost)).toEqual([false, false, true, true]);
		expect(recorder.inbound.counters.lostDropped).toBe(2);
	});

	it("a lost one that was delivered and released makes room for others", () => {
		const recorder = new InboundRecorder({ maxBuffered: 1_000, maxPayloadSize: 1_000 });
		const all = [1, 2].map((id) => recorder.deliver("x".repeat(250), id));
		recorder.reconnect({ resumed: false });
		for (const delivery of all) delivery.release();
		const more = [1, 2].map((id) => recorder.deliver("y".repeat(250), id));
		recorder.reconnect({ resumed: false });
		expect(more.map(({ lost }) => lost)).toEqual([true, true]);
		expect(recorder.inbound.counters.lostDropped).toBe(0);
	});
});
