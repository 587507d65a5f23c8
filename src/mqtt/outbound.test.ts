import { describe, expect, it } from "vitest";
import { type NotedPublish, SinkRecorder, toPublish } from "../../test/support/session-parts.js";
import { PublishError } from "../errors.js";
import { Outbound } from "./outbound.js";

/** The sending half of a session over a sink that notes what it gets. */
function setup() {
	const outbound = new Outbound();
	const sink = new SinkRecorder();
	outbound.connected(false);
	const write = () => {
		outbound.write(sink);
		return sink.take();
	};
	const enqueue = (...publishes: readonly NotedPublish[]) => {
		for (const publish of publishes) outbound.enqueue(publish);
	};
	return { outbound, sink, write, enqueue };
}

describe("a QoS 1 publish", () => {
	it("[MQTT-4.3.2-1] is written with an unused identifier and without DUP, and is unanswered until its PUBACK", () => {
		const { outbound, write, enqueue } = setup();
		const [a, b] = [toPublish("a"), toPublish("b")];
		enqueue(a, b);
		expect(write()).toEqual(["publish a 2", "publish b 3"]);
		expect([a.outcome, outbound.pending, outbound.awaitsPubAck(2)]).toEqual([undefined, 2, true]);
		expect(outbound.acknowledged(2)).toBe(true);
		expect([a.outcome, b.outcome, outbound.pending]).toEqual(["done", undefined, 1]);
	});

	it("a PUBACK that nothing waits for changes nothing", () => {
		const { outbound, write, enqueue } = setup();
		const a = toPublish("a");
		enqueue(a);
		write();
		expect([outbound.acknowledged(3), outbound.acknowledged(2), outbound.acknowledged(2)]).toEqual([
			false,
			true,
			false,
		]);
		expect(a.outcome).toBe("done");
	});

	it("is written once on a connection", () => {
		const { outbound, write, enqueue } = setup();
		enqueue(toPublish("a"));
		write();
		expect([write(), outbound.hasOutput]).toEqual([[], false]);
	});

	it("never uses identifier 1, which is QoS 2's, nor those of SUBSCRIBE", () => {
		const { outbound, write, enqueue } = setup();
		const used = new Set<string>();
		for (let i = 0; i < 70_000; i++) {
			enqueue(toPublish("a"));
			const id = write()[0]!.split(" ")[2]!;
			used.add(id);
			outbound.acknowledged(Number(id));
		}
		const ids = [...used].map(Number);
		expect([Math.min(...ids), Math.max(...ids)]).toEqual([2, 65_519]);
	});
});

describe("a QoS 0 publish", () => {
	it("succeeds as soon as it is handed over, in its turn", () => {
		const { outbound, write, enqueue } = setup();
		const publish = toPublish("b", 0);
		enqueue(toPublish("a"), publish, toPublish("c"));
		expect(write()).toEqual(["publish a 2", "publish b 0", "publish c 3"]);
		expect([publish.outcome, outbound.pending]).toEqual(["done", 2]);
	});
});

describe("while the connection takes no more", () => {
	it("publishes wait with us, and go on in their order when it does", () => {
		const { sink, write, enqueue, outbound } = setup();
		enqueue(toPublish("a"), toPublish("b"), toPublish("c"));
		sink.room = 2;
		expect([write(), outbound.hasOutput]).toEqual([["publish a 2", "publish b 3"], true]);
		sink.room = 2;
		expect(write()).toEqual(["publish c 4"]);
	});

	it("one that waits can be taken back: not sent, and nothing of it is ever written", () => {
		const { sink, write, enqueue, outbound } = setup();
		const waiting = toPublish("b");
		enqueue(toPublish("a"), waiting, toPublish("c"));
		sink.room = 1;
		write();
		outbound.abandon(waiting, "too late");
		sink.room = 10;
		expect([waiting.outcome, write()]).toEqual(["not sent: too late", ["publish c 3"]]);
	});
});

describe("when the connection ends and the session is resumed", () => {
	it("[MQTT-4.4.0-1] [MQTT-3.3.1-1] [MQTT-2.3.1-3] un-acknowledged publishes go first, with their identifiers and DUP", () => {
		const { outbound, sink, write, enqueue } = setup();
		enqueue(toPublish("a"), toPublish("b"), toPublish("c"));
		sink.room = 2;
		write();
		outbound.disconnected();
		enqueue(toPublish("d"));
		outbound.connected(true);
		sink.room = 10;
		expect(write()).toEqual(["publish a 2 dup", "publish b 3 dup", "publish c 4", "publish d 5"]);
	});

	it("[MQTT-4.6.0-1] they keep their original order, whatever was acknowledged between and however often it happens", () => {
		const { outbound, sink, write, enqueue } = setup();
		enqueue(...["a", "b", "c", "d", "e"].map((text) => toPublish(text)));
		write();
		outbound.acknowledged(3);
		for (const room of [2, 1, 3]) {
			outbound.disconnected();
			outbound.connected(true);
			sink.room = room;
			write();
		}
		outbound.disconnected();
		outbound.connected(true);
		sink.room = 10;
		expect(write()).toEqual(["publish a 2 dup", "publish c 4 dup", "publish d 5 dup", "publish e 6 dup"]);
	});

	it("[MQTT-4.6.0-1] they keep it where the identifiers began anew between them", () => {
		const { outbound, write, enqueue } = setup();
		for (let id = 2; id < 65_519; id++) {
			enqueue(toPublish("x"));
			write();
			outbound.acknowledged(id);
		}
		enqueue(toPublish("a"), toPublish("b"));
		expect(write()).toEqual(["publish a 65519", "publish b 2"]);
		outbound.disconnected();
		outbound.connected(true);
		expect(write()).toEqual(["publish a 65519 dup", "publish b 2 dup"]);
	});

	it("[MQTT-2.3.1-3] identifiers whose callers gave up are free again, however many there were", () => {
		const { outbound, write, enqueue } = setup();
		for (let round = 0; round < 40; round++) {
			const all = Array.from({ length: 2_000 }, () => toPublish("a"));
			enqueue(...all);
			expect(write()).toHaveLength(2_000);
			for (const publish of all) outbound.abandon(publish, "no answer in time");
			outbound.disconnected();
			outbound.connected(true);
		}
	});

	it("one whose caller gave up is not written again", () => {
		const { outbound, write, enqueue } = setup();
		const [a, b] = [toPublish("a"), toPublish("b")];
		enqueue(a, b);
		write();
		outbound.abandon(a, "no answer in time");
		outbound.disconnected();
		outbound.connected(true);
		expect(write()).toEqual(["publish b 3 dup"]);
		expect([a.outcome, outbound.pending]).toEqual(["outcome unknown: no answer in time", 1]);
	});

	it("one that is given up before it is written again is not written again", () => {
		const { outbound, write, enqueue } = setup();
		const publish = toPublish("a");
		enqueue(publish);
		write();
		outbound.disconnected();
		outbound.abandon(publish, "no answer in time");
		outbound.connected(true);
		expect([publish.outcome, write(), outbound.pending]).toEqual(["outcome unknown: no answer in time", [], 0]);
	});
});

describe("when the session is lost", () => {
	it("QoS 1 publishes whose callers still wait are published anew: unused identifiers, no DUP, the same order", () => {
		const { outbound, write, enqueue } = setup();
		const [a, b, c] = [toPublish("a"), toPublish("b"), toPublish("c")];
		enqueue(a, b, c);
		write();
		outbound.acknowledged(3);
		outbound.disconnected();
		outbound.connected(false);
		expect(write()).toEqual(["publish a 5", "publish c 6"]);
		outbound.acknowledged(6);
		expect([a.outcome, c.outcome]).toEqual([undefined, "done"]);
	});

	it("one that was written before it was lost is still of unknown outcome when it is given up", () => {
		const { outbound, write, enqueue } = setup();
		const publish = toPublish("a");
		enqueue(publish);
		write();
		outbound.disconnected();
		outbound.connected(false);
		outbound.abandon(publish, "no answer in time");
		expect([publish.outcome, write()]).toEqual(["outcome unknown: no answer in time", []]);
	});
});

describe("an abandoned publish", () => {
	it.each([
		["that waits was not sent", false, "not sent: why"],
		["that was written is of unknown outcome", true, "outcome unknown: why"],
	])("%s", (_, isWritten, outcome) => {
		const { outbound, write, enqueue } = setup();
		const publish = toPublish("a");
		enqueue(publish);
		if (isWritten) write();
		outbound.abandon(publish, "why");
		outbound.abandon(publish, "why again");
		expect(publish.outcome).toBe(outcome);
	});

	it("[MQTT-2.3.1-3] keeps its identifier until its PUBACK, which tells nobody", () => {
		const { outbound, write, enqueue } = setup();
		const publish = toPublish("a");
		enqueue(publish);
		write();
		outbound.abandon(publish, "why");
		expect([outbound.awaitsPubAck(2), outbound.pending, [...outbound.open()]]).toEqual([true, 1, []]);
		expect([outbound.acknowledged(2), outbound.pending]).toEqual([true, 0]);
		expect(publish.outcome).toBe("outcome unknown: why");
	});
});

describe("the bounds", () => {
	const refusal = (outbound: Outbound, publish: NotedPublish) => {
		try {
			outbound.enqueue(publish);
		} catch (error) {
			return error instanceof PublishError ? `${error.outcome} ${error.pending}: ${error.message}` : error;
		}
		return undefined;
	};

	it.each([0, 1, 2] as const)("at QoS %s refuse the 2,049th publish: not sent, too many pending", (qos) => {
		const { outbound, enqueue } = setup();
		enqueue(...Array.from({ length: 2_048 }, () => toPublish("a", qos)));
		expect(refusal(outbound, toPublish("b", qos))).toMatch(/^not-sent true: not sent: too many pending: 2048/);
		expect(outbound.pending).toBe(2_048);
	});

	it("count waiting, written and given-up ones together", () => {
		const { outbound, sink, write, enqueue } = setup();
		const all = Array.from({ length: 2_048 }, () => toPublish("a"));
		enqueue(...all);
		sink.room = 1_000;
		write();
		for (const publish of all.slice(0, 10)) outbound.abandon(publish, "why");
		expect([refusal(outbound, toPublish("b")) === undefined, outbound.isFull]).toEqual([false, true]);
		outbound.acknowledged(2);
		expect([outbound.isFull, refusal(outbound, toPublish("b"))]).toEqual([false, undefined]);
	});

	it("hold 64 MiB of payload, and are full from the refusal on until something leaves", () => {
		const { outbound, write, enqueue } = setup();
		const payload = Buffer.alloc(60 * 1_048_576);
		enqueue(toPublish("", 1, { payload }));
		write();
		expect(outbound.isFull).toBe(false);
		expect(refusal(outbound, toPublish("", 1, { payload }))).toMatch(/^not-sent true/);
		expect(outbound.isFull).toBe(true);
		outbound.acknowledged(2);
		expect([outbound.isFull, refusal(outbound, toPublish("", 1, { payload }))]).toEqual([false, undefined]);
	});

	it("refuse what can never fit in other words: trying again will not help", () => {
		const { outbound } = setup();
		const payload = Buffer.alloc(64 * 1_048_576 + 1);
		expect(refusal(outbound, toPublish("", 1, { payload }))).toMatch(
			/^not-sent false: not sent: a payload of 67108865 bytes/,
		);
		expect(outbound.isFull).toBe(false);
	});

	it("are free again after whatever became of the publishes", () => {
		const { outbound, write, enqueue, sink } = setup();
		const payload = Buffer.alloc(10 * 1_048_576);
		const all = [1, 0, 1, 1, 2, 2].map((qos) => toPublish("", qos as 0 | 1 | 2, { payload }));
		enqueue(...all);
		sink.room = 4;
		write();
		outbound.abandon(all[5]!, "withdrawn");
		outbound.abandon(all[3]!, "withdrawn or given up");
		outbound.disconnected();
		outbound.connected(false);
		sink.room = 10;
		for (const line of [...write(), ...write()]) outbound.acknowledged(Number(line.split(" ").at(-1)));
		outbound.received(1);
		write();
		outbound.completed(1);
		expect(outbound.pending).toBe(0);
		expect(refusal(outbound, toPublish("", 1, { payload: Buffer.alloc(64 * 1_048_576) }))).toBeUndefined();
	});

	it("answers of every kind, and QoS 0 handed over, count as progress", () => {
		const { outbound, write, enqueue } = setup();
		const counts: number[] = [];
		const note = () => counts.push(outbound.progress);
		enqueue(toPublish("a", 0), toPublish("b", 1), toPublish("c", 2));
		write();
		note();
		outbound.acknowledged(2);
		note();
		outbound.completed(1);
		write();
		outbound.received(1);
		note();
		write();
		outbound.completed(1);
		note();
		expect(counts).toEqual([1, 2, 4, 5]);
	});
});

describe("closing", () => {
	it("ends every publish whose caller waits: not sent, or of unknown outcome", () => {
		const { outbound, sink, write, enqueue } = setup();
		const all = [toPublish("a"), toPublish("b"), toPublish("c", 2), toPublish("d", 2)];
		enqueue(...all);
		outbound.completed(1);
		sink.room = 2;
		write();
		outbound.close("the client was closed");
		expect(all.map(({ outcome }) => outcome)).toEqual([
			"outcome unknown: the client was closed",
			...Array(3).fill("not sent: the client was closed"),
		]);
	});
});
