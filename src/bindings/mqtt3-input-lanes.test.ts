import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FAILED, InputUnderTest, NO_VERDICT, UNREACHABLE } from "../../test/support/input-parts.js";
import { received, unread } from "../../test/support/session-parts.js";
import { ACCEPTED } from "./binding.js";
import type { Mqtt3Options } from "./mqtt3-options.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

/** An input with lanes. A message's topic is its first letter, so that `a1` and `a2` share a lane. */
function start(options: Partial<Mqtt3Options> = {}): InputUnderTest {
	return new InputUnderTest({ topic: "#", ordering: "topic", ...options }).read();
}

function send(at: InputUnderTest, ...messages: readonly (readonly [packetId: number, text: string])[]): void {
	for (const [packetId, text] of messages) at.receive(received(text, { packetId, topic: text[0]! }));
}

function sendAgain(at: InputUnderTest, ...messages: readonly (readonly [packetId: number, text: string])[]): void {
	for (const [packetId, text] of messages) at.receive(received(text, { packetId, topic: text[0]!, dup: true }));
}

const called = (at: InputUnderTest) => at.calls.map(({ text }) => text).join(" ");

describe("ordering: topic", () => {
	it("the app has one message of a topic at a time, in order of arrival; other topics flow", async () => {
		const at = start();
		send(at, [1, "a1"], [2, "a2"], [3, "b1"], [4, "a3"], [5, "b2"]);
		expect(called(at)).toBe("a1 b1");
		await at.call("a1").answer(ACCEPTED);
		expect(called(at)).toBe("a1 b1 a2");
		await at.call("b1").answer(ACCEPTED);
		await at.call("a2").answer(ACCEPTED);
		expect([called(at), at.acks()]).toEqual(["a1 b1 a2 b2 a3", [1, 2, 3]]);
	});

	it("what came before somebody read is in order too", async () => {
		const at = new InputUnderTest({ topic: "#", ordering: "topic" });
		send(at, [1, "a1"], [2, "a2"]);
		at.read();
		expect(called(at)).toBe("a1");
		await at.call("a1").answer(ACCEPTED);
		expect(called(at)).toBe("a1 a2");
	});

	it("the next waits while one is between attempts", async () => {
		const at = start({ backOffMaxRetries: 2, backOffIntervalMs: 1_000 });
		send(at, [1, "a1"], [2, "a2"]);
		await at.call("a1").answer(FAILED);
		expect(called(at)).toBe("a1");
		await pass(1_000);
		expect(called(at)).toBe("a1 a1");
		await at.call("a1").answer(ACCEPTED);
		expect(called(at)).toBe("a1 a1 a2");
	});

	it("one that is held keeps its lane closed until the app takes it", async () => {
		const at = start({ holdIntervalMs: 1_000 });
		send(at, [1, "a1"], [2, "a2"], [3, "b1"]);
		await at.call("a1").answer(FAILED);
		await at.call("b1").answer(ACCEPTED);
		for (let round = 0; round < 5; round++) {
			await pass(1_001);
			await at.call("a1").answer(FAILED);
		}
		expect([called(at).includes("a2"), at.acks()]).toEqual([false, [3]]);
		await pass(1_001);
		await at.call("a1").answer(ACCEPTED);
		expect(at.calls.at(-1)!.text).toBe("a2");
	});

	it("one that is dropped opens it", async () => {
		const at = start({ onRetriesExhausted: "drop" });
		send(at, [1, "a1"], [2, "a2"]);
		await at.call("a1").answer(FAILED);
		expect([called(at), at.acks()]).toEqual(["a1 a2", [1]]);
	});

	it("one that is dead-lettered opens it when the broker has the dead letter", async () => {
		const at = start({ topic: "+", deadLetterTopic: "dead/a" });
		send(at, [1, "a1"], [2, "a2"]);
		await at.call("a1").answer(FAILED);
		expect([called(at), at.acks()]).toEqual(["a1", []]);
		await at.published[0]!.acknowledge();
		expect([called(at), at.acks()]).toEqual(["a1 a2", [1]]);
	});

	it("one that comes back without a verdict stays the first", async () => {
		const at = start();
		send(at, [1, "a1"], [2, "a2"]);
		await at.call("a1").answer(NO_VERDICT);
		await pass(100);
		expect(called(at)).toBe("a1 a1");
		await at.call("a1").answer(UNREACHABLE);
		at.input.resume();
		expect(called(at)).toBe("a1 a1 a1");
	});

	it("what waits behind a refused one is passed over too, so that it holds up no other topic's acknowledgement", async () => {
		const at = start({ backOffMaxRetries: 1 });
		send(at, [1, "a1"], [2, "a2"], [3, "b1"]);
		await at.call("a1").answer(FAILED);
		send(at, [4, "a3"], [5, "b2"]);
		await at.call("b1").answer(ACCEPTED);
		await at.call("b2").answer(ACCEPTED);
		expect(at.acks()).toEqual([3, 5]);
	});

	it("what waits behind one that is long overdue is passed over too", async () => {
		const at = start();
		send(at, [1, "a1"], [2, "b1"], [3, "a2"], [4, "b2"]);
		await at.call("b1").answer(ACCEPTED);
		await at.call("b2").answer(ACCEPTED);
		expect(at.acks()).toEqual([]);
		// Overdue is what b1 waits behind: a1, and with it a2.
		at.inbound.passOverBefore(2);
		expect(at.acks()).toEqual([2, 4]);
	});

	it("one too large to be read closes no lane", () => {
		const at = start({ maxPayloadSize: 10 });
		at.receive(unread(11, { packetId: 1, topic: "a" }));
		send(at, [2, "a1"]);
		expect(called(at)).toBe("a1");
	});

	it("at QoS 0 as well", async () => {
		const at = start();
		for (const text of ["a1", "a2"]) at.receive(received(text, { topic: "a", qos: 0, packetId: 0 }));
		expect(called(at)).toBe("a1");
		await at.call("a1").answer(FAILED);
		expect(called(at)).toBe("a1 a2");
	});
});

describe("lanes over reconnects", () => {
	it("a handler that runs keeps its lane, and its redelivery is not handed over twice", async () => {
		const at = start();
		send(at, [1, "a1"], [2, "a2"]);
		at.reconnect();
		sendAgain(at, [1, "a1"], [2, "a2"]);
		send(at, [3, "a3"]);
		expect(called(at)).toBe("a1");
		await at.call("a1").answer(ACCEPTED);
		expect([called(at), at.acks()]).toEqual(["a1 a2", [1]]);
		await at.call("a2").answer(ACCEPTED);
		expect(called(at)).toBe("a1 a2 a3");
	});

	it("a handler that runs for a message which never comes again keeps its lane until it ends", async () => {
		const at = start();
		send(at, [1, "a1"]);
		at.reconnect({ resumed: false });
		send(at, [1, "a2"]);
		expect(called(at)).toBe("a1");
		await at.call("a1").answer(FAILED);
		expect(called(at)).toBe("a1 a2");
		await at.call("a2").answer(ACCEPTED);
		expect(at.acks()).toEqual([1]);
	});

	it("one that waited for its next attempt waits on, and those behind it keep their order", async () => {
		const at = start({ backOffMaxRetries: 1, backOffIntervalMs: 1_000 });
		send(at, [1, "a1"], [2, "a2"]);
		await at.call("a1").answer(FAILED);
		at.reconnect();
		sendAgain(at, [1, "a1"], [2, "a2"]);
		expect(called(at)).toBe("a1");
		await pass(1_000);
		expect(called(at)).toBe("a1 a1");
		await at.call("a1").answer(ACCEPTED);
		expect(called(at)).toBe("a1 a1 a2");
	});

	it("one that was due while its connection was away takes its turn when it is adopted", async () => {
		const at = start({ backOffMaxRetries: 1, backOffIntervalMs: 1_000 });
		send(at, [1, "a1"], [2, "a2"]);
		await at.call("a1").answer(FAILED);
		at.inbound.disconnected(false);
		await pass(2_000);
		at.inbound.connected(true);
		sendAgain(at, [1, "a1"], [2, "a2"]);
		expect(called(at)).toBe("a1 a1");
	});

	it("one that is held is held again, and tried when its time comes", async () => {
		const at = start({ holdIntervalMs: 1_000 });
		send(at, [1, "a1"], [2, "a2"]);
		await at.call("a1").answer(FAILED);
		at.reconnect();
		sendAgain(at, [1, "a1"], [2, "a2"]);
		expect(called(at)).toBe("a1");
		await pass(1_001);
		expect(called(at)).toBe("a1 a1");
	});

	it("where the broker sends them in another order, that order counts, one at a time", async () => {
		const at = start({ holdIntervalMs: 100 });
		send(at, [1, "a1"], [2, "a2"]);
		await at.call("a1").answer(FAILED);
		at.reconnect();
		sendAgain(at, [2, "a2"], [1, "a1"]);
		expect(called(at)).toBe("a1 a2");
		await pass(1_000);
		expect(called(at)).toBe("a1 a2");
		await at.call("a2").answer(ACCEPTED);
		await pass(1_000);
		expect(called(at)).toBe("a1 a2 a1");
	});

	it("an identifier that goes to another message of the topic: the new one waits for the old one's handler", async () => {
		const at = start();
		send(at, [1, "a1"], [1, "a2"], [2, "a3"]);
		expect(called(at)).toBe("a1");
		await at.call("a1").answer(ACCEPTED);
		expect([called(at), at.acks()]).toEqual(["a1 a2", []]);
	});

	it("one that waits and whose identifier goes to another message is not started", async () => {
		const at = start();
		send(at, [1, "a1"], [2, "a2"], [3, "a3"], [2, "b1"]);
		await at.call("a1").answer(ACCEPTED);
		expect(called(at)).toBe("a1 b1 a3");
	});

	it("nothing is left of a lane when all is done", async () => {
		const at = start();
		send(at, [1, "a1"], [2, "b1"], [3, "a2"]);
		for (const text of ["a1", "b1", "a2"]) await at.call(text).answer(ACCEPTED);
		at.acks();
		send(at, [1, "a3"]);
		expect(called(at)).toBe("a1 b1 a2 a3");
	});
});
