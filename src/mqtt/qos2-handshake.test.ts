import { describe, expect, it } from "vitest";
import { SinkRecorder, toPublish } from "../../test/support/session-parts.js";
import { Outbound } from "./outbound.js";

/** A sending half whose identifier 1 is known to be free, unless told otherwise. */
function setup({ cleared = true } = {}) {
	const outbound = new Outbound();
	const sink = new SinkRecorder();
	outbound.connected(false);
	const write = () => {
		for (let guard = 0; outbound.hasOutput && guard < 10; guard++) outbound.write(sink);
		return sink.take();
	};
	const publish = (text: string) => {
		const one = toPublish(text, 2);
		outbound.enqueue(one);
		return one;
	};
	const reconnect = (resumed: boolean) => {
		outbound.disconnected();
		outbound.connected(resumed);
	};
	if (cleared) {
		const first = publish("first");
		write();
		outbound.completed(1);
		write();
		outbound.received(1);
		write();
		outbound.completed(1);
		expect(first.outcome).toBe("done");
	}
	return { outbound, sink, write, publish, reconnect };
}

describe("before the first QoS 2 publish of a process", () => {
	it("PUBREL 1 is sent, and the identifier is used once its PUBCOMP has come", () => {
		const { outbound, write, publish } = setup({ cleared: false });
		expect(write()).toEqual([]);
		publish("a");
		expect(write()).toEqual(["pubRel 1"]);
		expect(write()).toEqual([]);
		expect(outbound.completed(1)).toBe(true);
		expect(write()).toEqual(["publish a 1"]);
	});

	it("that PUBREL is written on one connection only: if that ends first, the identifier counts as free", () => {
		const { write, publish, reconnect } = setup({ cleared: false });
		publish("a");
		write();
		reconnect(true);
		expect(write()).toEqual(["publish a 1"]);
	});

	it("a publish that is given up meanwhile was not sent", () => {
		const { outbound, write, publish } = setup({ cleared: false });
		const one = publish("a");
		write();
		outbound.abandon(one, "no answer in time");
		outbound.completed(1);
		expect([one.outcome, write(), outbound.pending]).toEqual(["not sent: no answer in time", [], 0]);
	});
});

describe("a QoS 2 publish", () => {
	it("[MQTT-4.3.3-1] PUBLISH without DUP, PUBREC, PUBREL, PUBCOMP: only then its caller is told", () => {
		const { outbound, write, publish } = setup();
		const one = publish("a");
		expect(write()).toEqual(["publish a 1"]);
		expect(outbound.received(1)).toBe(true);
		expect([write(), one.outcome]).toEqual([["pubRel 1"], undefined]);
		expect(outbound.completed(1)).toBe(true);
		expect([one.outcome, outbound.pending, write()]).toEqual(["done", 0, []]);
	});

	it("[MQTT-4.6.0-4] is one handshake at a time, on identifier 1, so that PUBRELs leave in the order of their PUBRECs", () => {
		const { outbound, write, publish } = setup();
		publish("a");
		publish("b");
		const seen = write();
		outbound.received(1);
		seen.push(...write());
		outbound.completed(1);
		seen.push(...write());
		expect(seen).toEqual(["publish a 1", "pubRel 1", "publish b 1"]);
	});

	it.each([
		["PUBREC for another identifier", (outbound: Outbound) => outbound.received(2)],
		["PUBCOMP for another identifier", (outbound: Outbound) => outbound.completed(2)],
		["PUBCOMP before PUBREC", (outbound: Outbound) => outbound.completed(1)],
	])("takes no notice of %s", (_, act) => {
		const { outbound, write, publish } = setup();
		const one = publish("a");
		write();
		expect([act(outbound), write(), one.outcome]).toEqual([false, [], undefined]);
	});

	it("answers a second PUBREC with PUBREL again", () => {
		const { outbound, write, publish } = setup();
		publish("a");
		write();
		outbound.received(1);
		write();
		expect([outbound.received(1), write()]).toEqual([true, ["pubRel 1"]]);
	});

	it("does not stop publishes of QoS 1 while it waits", () => {
		const { outbound, write, publish } = setup();
		publish("a");
		write();
		outbound.enqueue(toPublish("b"));
		expect(write()).toEqual(["publish b 2"]);
	});
});

describe("when the connection ends and the session is resumed", () => {
	it("[MQTT-4.4.0-1] [MQTT-3.3.1-1] before PUBREC, PUBLISH is written again with DUP, before anything else", () => {
		const { outbound, write, publish, reconnect } = setup();
		publish("a");
		outbound.enqueue(toPublish("b"));
		write();
		reconnect(true);
		expect(write()).toEqual(["publish a 1 dup", "publish b 2 dup"]);
	});

	it("[MQTT-4.4.0-1] after PUBREC, PUBREL is written again and never the PUBLISH [MQTT-4.3.3-1]", () => {
		const { outbound, write, publish, reconnect } = setup();
		const one = publish("a");
		write();
		outbound.received(1);
		write();
		reconnect(true);
		expect(write()).toEqual(["pubRel 1"]);
		reconnect(true);
		expect(write()).toEqual(["pubRel 1"]);
		outbound.completed(1);
		expect(one.outcome).toBe("done");
	});

	it("after PUBREC whose PUBREL was not written, PUBREL is written", () => {
		const { outbound, write, publish, reconnect } = setup();
		publish("a");
		write();
		outbound.received(1);
		reconnect(true);
		expect(write()).toEqual(["pubRel 1"]);
	});

	it("a PUBREC that comes before PUBLISH is written again makes that needless", () => {
		const { outbound, write, publish, reconnect } = setup();
		publish("a");
		write();
		reconnect(true);
		outbound.received(1);
		expect(write()).toEqual(["pubRel 1"]);
	});
});

describe("a QoS 2 publish whose caller gave up", () => {
	it("after PUBREC is finished all the same: PUBREL until PUBCOMP", () => {
		const { outbound, write, publish, reconnect } = setup();
		const one = publish("a");
		write();
		outbound.received(1);
		outbound.abandon(one, "why");
		const seen = write();
		reconnect(true);
		seen.push(...write());
		outbound.completed(1);
		expect([seen, one.outcome, outbound.pending]).toEqual([["pubRel 1", "pubRel 1"], "outcome unknown: why", 0]);
	});

	it("on the connection that it was written on goes on with PUBREC as if nothing had happened", () => {
		const { outbound, write, publish } = setup();
		const one = publish("a");
		write();
		outbound.abandon(one, "why");
		expect([outbound.received(1), write(), outbound.completed(1)]).toEqual([true, ["pubRel 1"], true]);
	});

	it("before PUBREC gets PUBREL instead of PUBLISH on the resumed session, though no other waits", () => {
		const { outbound, write, publish, reconnect } = setup();
		const one = publish("a");
		write();
		outbound.abandon(one, "why");
		reconnect(true);
		expect([outbound.hasOutput, write(), outbound.pending]).toEqual([true, ["pubRel 1"], 0]);
		publish("b");
		expect(write()).toEqual([]);
		outbound.completed(1);
		expect(write()).toEqual(["publish b 1"]);
	});

	it.each([
		[
			"while there is no connection",
			(outbound: Outbound, giveUp: () => void) => {
				outbound.disconnected();
				giveUp();
				outbound.connected(true);
			},
		],
		[
			"before it is written again",
			(outbound: Outbound, giveUp: () => void) => {
				outbound.disconnected();
				outbound.connected(true);
				giveUp();
			},
		],
	])("%s is never written again: PUBREL takes its place", (_, act) => {
		const { outbound, write, publish } = setup();
		const one = publish("a");
		write();
		act(outbound, () => outbound.abandon(one, "why"));
		expect([one.outcome, write(), outbound.pending]).toEqual(["outcome unknown: why", ["pubRel 1"], 0]);
	});

	it("that PUBREL is written on one connection only", () => {
		const { outbound, write, publish, reconnect } = setup();
		const one = publish("a");
		write();
		outbound.abandon(one, "why");
		reconnect(true);
		write();
		reconnect(true);
		expect(write()).toEqual([]);
		publish("b");
		expect(write()).toEqual(["publish b 1"]);
	});

	it("while it waits behind another was not sent", () => {
		const { outbound, write, publish } = setup();
		publish("a");
		const waiting = publish("b");
		write();
		outbound.abandon(waiting, "why");
		expect([waiting.outcome, outbound.pending]).toEqual(["not sent: why", 1]);
	});
});

describe("when the session is lost", () => {
	it.each([
		["before PUBREC", false],
		["after PUBREC", true],
	])(
		"%s a written publish fails, of unknown outcome, and is not published anew; PUBREL 1 clears the way for the next",
		(_, isReceived) => {
			const { outbound, write, publish, reconnect } = setup();
			const [one, next] = [publish("a"), publish("b")];
			write();
			if (isReceived) {
				outbound.received(1);
				write();
			}
			reconnect(false);
			expect(one.outcome).toMatch(/^outcome unknown: the broker lost the session/);
			expect([next.outcome, outbound.pending, write()]).toEqual([undefined, 1, ["pubRel 1"]]);
			outbound.completed(1);
			expect(write()).toEqual(["publish b 1"]);
		},
	);

	it("one that was not written is published in the new session", () => {
		const { write, publish, reconnect } = setup();
		publish("a");
		reconnect(false);
		expect(write()).toEqual(["publish a 1"]);
	});

	it("and the caller had given up, nothing is written until the next QoS 2 publish, PUBREL first", () => {
		const { outbound, write, publish, reconnect } = setup();
		const one = publish("a");
		write();
		outbound.abandon(one, "why");
		reconnect(false);
		expect([write(), outbound.pending]).toEqual([[], 0]);
		publish("b");
		expect(write()).toEqual(["pubRel 1"]);
	});
});
