import { describe, expect, it } from "vitest";
import { end, received, SinkRecorder, start, toPublish } from "../../test/support/session-parts.js";
import { MqttProtocolError } from "../errors.js";
import type { Delivery } from "./delivery.js";
import type { Packet } from "./packet.js";
import { MqttSession } from "./session.js";

function setup() {
	const deliveries: Delivery[] = [];
	const session = new MqttSession(
		{ strict: false, maxBuffered: 1_000_000, maxPayloadSize: 1_000, delivers: true },
		{ delivered: (delivery) => deliveries.push(delivery), adopted: () => {}, orphaned: () => {}, died: () => {} },
	);
	const sink = new SinkRecorder();
	let calls = 0;
	session.onOutput = () => calls++;
	session.connected(false);
	const write = () => {
		session.write(sink);
		return sink.take();
	};
	const reconnect = (resumed: boolean) => {
		session.disconnected(false);
		session.connected(resumed);
	};
	return { session, deliveries, sink, write, reconnect, calls: () => calls };
}

const answer = (type: "pubAck" | "pubRec" | "pubRel" | "pubComp", packetId: number): Packet => ({ type, packetId });

describe("a session", () => {
	it("writes acknowledgements first, then publishes", () => {
		const { session, deliveries, write } = setup();
		session.outbound.enqueue(toPublish("out"));
		session.receive(received("in", { packetId: 9 }));
		session.receive(answer("pubRel", 4));
		deliveries[0]!.ack();
		expect(session.hasOutput).toBe(true);
		expect(write()).toEqual(["pubAck 9", "pubComp 4", "publish out 2"]);
		expect([session.hasOutput, write()]).toEqual([false, []]);
	});

	it("[MQTT-4.3.3-2] [MQTT-2.3.1-6] answers PUBREL with PUBCOMP of its identifier, known or not, and frees it", () => {
		const { session, deliveries, write } = setup();
		session.receive(received("a", { qos: 2, packetId: 5 }));
		deliveries[0]!.ack();
		expect(write()).toEqual(["pubRec 5"]);
		session.receive(answer("pubRel", 5));
		session.receive(answer("pubRel", 77));
		expect(write()).toEqual(["pubComp 5", "pubComp 77"]);
		session.receive(received("a", { qos: 2, packetId: 5 }));
		expect(deliveries).toHaveLength(2);
	});

	it("remembers one PUBCOMP an identifier, however many PUBRELs come while nothing can be written", () => {
		const { session, write } = setup();
		for (let i = 0; i < 1_000; i++) session.receive(answer("pubRel", 1 + (i % 2)));
		expect(write()).toEqual(["pubComp 1", "pubComp 2"]);
	});

	it("[MQTT-4.1.0-1] [MQTT-4.1.0-2] keeps its state while it lives, connection or not", () => {
		const { session, deliveries, write, reconnect } = setup();
		session.outbound.enqueue(toPublish("out"));
		session.receive(received("one", { packetId: 8 }));
		session.receive(received("two", { qos: 2, packetId: 9 }));
		deliveries[1]!.ack();
		deliveries[0]!.passOver();
		expect(write()).toEqual(["pubRec 9", "publish out 2"]);
		for (let i = 0; i < 3; i++) reconnect(true);
		session.receive(received("one", { packetId: 8, dup: true }));
		session.receive(received("two", { qos: 2, packetId: 9, dup: true }));
		deliveries[0]!.ack();
		expect(deliveries).toHaveLength(2);
		expect(write()).toEqual(["pubAck 8", "pubRec 9", "publish out 2 dup"]);
	});

	it("[MQTT-3.1.2-6] carries nothing into a session that the broker made anew, but what nobody was told of yet", () => {
		const { session, deliveries, write, reconnect } = setup();
		const out = toPublish("out");
		session.outbound.enqueue(out);
		session.receive(received("one", { packetId: 8 }));
		session.receive(received("two", { qos: 2, packetId: 9 }));
		start(deliveries[0]!);
		write();
		session.receive(answer("pubRel", 4));
		reconnect(false);
		end(deliveries[0]!, true);
		deliveries[1]!.ack();
		expect(write()).toEqual(["publish out 3"]);
	});

	it("an acknowledgement that became due on a connection leaves on that one or never", () => {
		const { session, deliveries, write, reconnect } = setup();
		session.receive(received("a"));
		deliveries[0]!.ack();
		session.receive(answer("pubRel", 5));
		reconnect(true);
		expect([session.hasOutput, write()]).toEqual([false, []]);
	});

	it("says once that there is something to write, and again after it was written", () => {
		const { session, deliveries, write, calls } = setup();
		for (const packetId of [1, 2, 3]) session.receive(received(`m${packetId}`, { packetId }));
		deliveries[0]!.ack();
		deliveries[1]!.ack();
		expect(calls()).toBe(1);
		write();
		deliveries[2]!.ack();
		expect(calls()).toBe(2);
	});

	it("can write its answers alone", () => {
		const { session, deliveries, sink } = setup();
		session.outbound.enqueue(toPublish("out"));
		session.receive(received("in"));
		deliveries[0]!.ack();
		session.writeAnswers(sink);
		expect([sink.take(), session.hasOutput]).toEqual([["pubAck 1"], true]);
	});
});

describe("an answer to a publish", () => {
	it.each(["pubAck", "pubRec", "pubComp"] as const)(
		"%s that nothing waits for is counted and changes nothing",
		(type) => {
			const { session, write } = setup();
			session.receive(answer(type, 2));
			expect([session.unexpected, write()]).toEqual([1, []]);
		},
	);

	it("[MQTT-4.3.2-1] PUBREC for a QoS 1 publish closes the connection", () => {
		const { session, write } = setup();
		session.outbound.enqueue(toPublish("a"));
		write();
		expect(violation(() => session.receive(answer("pubRec", 2)))).toBe("MQTT-4.3.2-1");
	});

	it("[MQTT-4.3.3-1] PUBACK for a QoS 2 publish closes the connection", () => {
		const { session, write } = setup();
		session.outbound.enqueue(toPublish("a", 2));
		write();
		session.receive(answer("pubComp", 1));
		write();
		expect(violation(() => session.receive(answer("pubAck", 1)))).toBe("MQTT-4.3.3-1");
	});

	it("PUBREC and PUBCOMP carry a QoS 2 publish on without further ado", () => {
		const { session, write, calls } = setup();
		const publish = toPublish("a", 2);
		session.outbound.enqueue(publish);
		const seen = write();
		for (const type of ["pubComp", "pubRec", "pubComp"] as const) {
			session.receive(answer(type, 1));
			seen.push(...write());
		}
		expect([seen, publish.outcome, calls()]).toEqual([["pubRel 1", "publish a 1", "pubRel 1"], "done", 3]);
	});
});

describe("[MQTT-4.8.0-1] a packet that no session takes from a broker is a violation:", () => {
	it.each<Packet>([
		{ type: "connect", clientId: "c", cleanSession: true, keepAlive: 1 },
		{ type: "subscribe", packetId: 1, subscriptions: [] },
		{ type: "unsubscribe", packetId: 1, filters: [] },
		{ type: "unsubAck", packetId: 1 },
		{ type: "pingReq" },
		{ type: "disconnect" },
	])("$type", (packet) => {
		expect(violation(() => setup().session.receive(packet))).toBe("MQTT-4.8.0-1");
	});
});

function violation(act: () => void): string {
	try {
		act();
	} catch (error) {
		if (error instanceof MqttProtocolError) return error.clause;
		throw error;
	}
	return "none";
}
