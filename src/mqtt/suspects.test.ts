import { describe, expect, it } from "vitest";
import { type NotedPublish, SinkRecorder, toPublish } from "../../test/support/session-parts.js";
import { Outbound } from "./outbound.js";

/** The sending half of a session whose broker ends connections. */
function setup() {
	const outbound = new Outbound();
	const sink = new SinkRecorder();
	outbound.connected(false);
	const write = () => {
		for (let round = 0; round < 10; round++) outbound.write(sink);
		return sink.take();
	};
	const enqueue = (...publishes: readonly NotedPublish[]) => {
		for (const publish of publishes) outbound.enqueue(publish);
	};
	/** The connection ends, and the next one resumes the session: what it begins with. */
	const ends = (byBroker = true) => {
		outbound.disconnected(byBroker);
		outbound.connected(true);
		return write();
	};
	return { outbound, write, enqueue, ends };
}

const GIVEN_UP =
	"outcome unknown: the broker ended the connection 3 times with this publish unanswered: too large for it, or against its rules";

describe("the oldest unanswered publish when the broker ends the connection", () => {
	it("is sent again with the others, then alone, and is given up at the third time; nobody else's fails with it", () => {
		const { outbound, write, enqueue, ends } = setup();
		const [killer, b, c] = [toPublish("killer"), toPublish("b"), toPublish("c")];
		enqueue(killer, b);
		expect(write()).toEqual(["publish killer 2", "publish b 3"]);
		expect(ends()).toEqual(["publish killer 2 dup", "publish b 3 dup"]);
		enqueue(c);
		expect(ends()).toEqual(["publish killer 2 dup"]);
		expect(ends()).toEqual(["publish b 3 dup", "publish c 4"]);
		expect([killer.outcome, b.outcome]).toEqual([GIVEN_UP, undefined]);
		for (const id of [3, 4]) outbound.acknowledged(id);
		expect([b.outcome, c.outcome, outbound.pending]).toEqual(["done", "done", 0]);
	});

	it("that is answered while it is alone lets the others go on, and is no suspect any more", () => {
		const { outbound, write, enqueue, ends } = setup();
		const [slow, b] = [toPublish("slow"), toPublish("b")];
		enqueue(slow, b);
		write();
		ends();
		expect(ends()).toEqual(["publish slow 2 dup"]);
		outbound.acknowledged(2);
		expect([slow.outcome, outbound.hasOutput, write()]).toEqual(["done", true, ["publish b 3 dup"]]);
		// b begins with a clean slate.
		ends();
		expect(b.outcome).toBeUndefined();
	});

	it("is not suspected where the connection ends for another reason", () => {
		const { outbound, write, enqueue, ends } = setup();
		const a = toPublish("a");
		enqueue(a, toPublish("b"));
		write();
		for (let round = 0; round < 5; round++) expect(ends(false)).toEqual(["publish a 2 dup", "publish b 3 dup"]);
		outbound.acknowledged(2);
		expect(a.outcome).toBe("done");
	});

	it("whose caller gives up while it is alone does not hold up the others", () => {
		const { outbound, write, enqueue, ends } = setup();
		const [killer, b] = [toPublish("killer"), toPublish("b")];
		enqueue(killer, b);
		write();
		ends();
		ends();
		outbound.abandon(killer, "too late");
		expect(write()).toEqual(["publish b 3 dup"]);
	});

	it("holds up QoS 2 as well while it is alone", () => {
		const { outbound, write, enqueue, ends } = setup();
		enqueue(toPublish("killer"));
		write();
		ends();
		enqueue(toPublish("two", 2));
		expect(ends()).toEqual(["publish killer 2 dup"]);
		outbound.acknowledged(2);
		expect(write()).toEqual(["pubRel 1"]);
	});
});

describe("a QoS 2 handshake as the oldest unanswered", () => {
	function handshake() {
		const parts = setup();
		const killer = toPublish("killer", 2);
		parts.enqueue(killer);
		parts.write();
		parts.outbound.completed(1);
		expect(parts.write()).toEqual(["publish killer 1"]);
		return { ...parts, killer };
	}

	it("its PUBLISH is sent alone and given up at the third time; the resumed session gets PUBREL in its place", () => {
		const { killer, outbound, enqueue, write, ends } = handshake();
		const b = toPublish("b");
		enqueue(b);
		expect(write()).toEqual(["publish b 2"]);
		expect(ends()).toEqual(["publish killer 1 dup", "publish b 2 dup"]);
		expect(ends()).toEqual(["publish killer 1 dup"]);
		expect(ends()).toEqual(["pubRel 1", "publish b 2 dup"]);
		expect([killer.outcome, b.outcome]).toEqual([GIVEN_UP, undefined]);
		outbound.completed(1);
		enqueue(toPublish("next", 2));
		expect(write()).toEqual(["publish next 1"]);
	});

	it("its PUBREL is given up after the third connection; what the broker keeps is unknown then, so the next one begins with PUBREL", () => {
		const { killer, outbound, enqueue, write, ends } = handshake();
		outbound.received(1);
		expect(write()).toEqual(["pubRel 1"]);
		expect([ends(), ends()]).toEqual([["pubRel 1"], ["pubRel 1"]]);
		expect([ends(), killer.outcome, outbound.pending]).toEqual([[], GIVEN_UP, 0]);
		enqueue(toPublish("next", 2));
		expect(write()).toEqual(["pubRel 1"]);
		// One connection only: a broker that does not bear it would never get another message.
		expect(ends()).toEqual(["publish next 1"]);
	});

	it("a younger QoS 1 publish is not suspected in its place, nor an older one spared", () => {
		const { killer, outbound, enqueue, write, ends } = handshake();
		outbound.received(1);
		const b = toPublish("b");
		enqueue(b);
		expect(write()).toEqual(["pubRel 1", "publish b 2"]);
		for (let round = 0; round < 3; round++) ends();
		expect([killer.outcome, b.outcome]).toEqual([GIVEN_UP, undefined]);
	});

	it("an answer in between clears it", () => {
		const { killer, outbound, write, ends } = handshake();
		ends();
		ends();
		outbound.received(1);
		expect(write()).toEqual(["pubRel 1"]);
		ends();
		expect(killer.outcome).toBeUndefined();
		outbound.completed(1);
		expect(killer.outcome).toBe("done");
	});
});

describe("another broker", () => {
	it("gets nothing of a QoS 2 handshake, and PUBREL before the next one, also where the identifier was free", () => {
		const { outbound, enqueue, write } = setup();
		const a = toPublish("a", 2);
		enqueue(a);
		write();
		outbound.completed(1);
		write();
		outbound.disconnected(true);
		outbound.connected(false, true);
		expect(a.outcome).toBe("outcome unknown: the connection went to another broker in the middle of a QoS 2 handshake");
		enqueue(toPublish("b", 2));
		expect(write()).toEqual(["pubRel 1"]);
		outbound.completed(1);
		expect(write()).toEqual(["publish b 1"]);
		outbound.received(1);
		write();
		outbound.completed(1);
		outbound.disconnected();
		outbound.connected(false, true);
		enqueue(toPublish("c", 2));
		expect(write()).toEqual(["pubRel 1"]);
	});

	it("gets QoS 1 publishes anew while their callers wait", () => {
		const { outbound, enqueue, write } = setup();
		enqueue(toPublish("a"));
		write();
		outbound.disconnected(true);
		outbound.connected(false, true);
		expect(write()).toEqual([expect.stringMatching(/^publish a \d+$/)]);
	});
});
