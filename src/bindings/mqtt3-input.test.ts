import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CRASHED, FAILED, InputUnderTest, NO_VERDICT, UNREACHABLE } from "../../test/support/input-parts.js";
import { received } from "../../test/support/session-parts.js";
import { StateError } from "../errors.js";
import { ACCEPTED } from "./binding.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Lets so much time pass. */
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

describe("handing over", () => {
	it("begins when somebody reads; until then messages wait, un-acknowledged", () => {
		const at = new InputUnderTest();
		at.deliver("abc");
		expect([at.input.isReading, at.input.waiting, at.texts]).toEqual([false, 3, ""]);
		at.read();
		expect([at.input.isReading, at.input.waiting, at.texts, at.acks()]).toEqual([true, 0, "abc", []]);
	});

	it("a second reader is turned away, and the first goes on", () => {
		const at = new InputUnderTest().read();
		expect(() => at.read()).toThrow(StateError);
		at.deliver("a");
		expect(at.texts).toBe("a");
	});

	it("at most maxInFlight are at the app; the next follows when one has ended, whatever the answer", async () => {
		const at = new InputUnderTest({ maxInFlight: 2 }).read();
		at.deliver("abcde");
		expect([at.texts, at.input.running.size, at.input.waiting]).toEqual(["ab", 2, 3]);
		await at.call("b").answer(FAILED);
		expect(at.texts).toBe("abc");
		await at.call("a").answer(ACCEPTED);
		expect([at.texts, at.input.running.size]).toEqual(["abcd", 2]);
	});

	it("an app that answers at once gets everything, without ever two at a time", () => {
		const at = new InputUnderTest({ maxInFlight: 1 });
		const seen: string[] = [];
		at.atOnce = (text) => {
			expect(at.input.running.size).toBe(1);
			seen.push(text);
			return ACCEPTED;
		};
		at.deliver("abc");
		at.read();
		at.deliver("de", 4);
		expect([seen.join(""), at.acks()]).toEqual(["abcde", [1, 2, 3, 4, 5]]);
	});

	it("an app that answers at once does not pile up calls", () => {
		const at = new InputUnderTest();
		let count = 0;
		at.atOnce = () => {
			count++;
			return ACCEPTED;
		};
		at.deliver("x".repeat(20_000));
		at.read();
		expect(count).toBe(20_000);
	});

	it("a pause holds back what comes, and resume lets it go in order", () => {
		const at = new InputUnderTest().read();
		at.input.pause("a reason");
		at.deliver("abc");
		expect([at.texts, at.input.pausedFor]).toEqual(["", "a reason"]);
		at.input.resume();
		expect([at.texts, at.input.pausedFor]).toEqual(["abc", undefined]);
	});

	it("the event holds payload and topic, and the attempt from the second on", async () => {
		const at = new InputUnderTest({ backOffMaxRetries: 1, contentType: "text/plain" }).read();
		at.deliver("a");
		expect(at.call("a").event).toEqual({
			data: Buffer.from("a"),
			metadata: { topic: "t" },
			contentType: "text/plain",
		});
		await at.call("a").answer(FAILED);
		await pass(5_000);
		expect(at.call("a").event.metadata).toEqual({ topic: "t", attempt: "2" });
	});
});

describe("acknowledgements", () => {
	it("[MQTT-4.6.0-2] leave in the order of arrival, for what was accepted alone", async () => {
		const at = new InputUnderTest().read();
		at.deliver("abc");
		await at.call("c").answer(ACCEPTED);
		await at.call("b").answer(ACCEPTED);
		expect(at.acks()).toEqual([]);
		await at.call("a").answer(ACCEPTED);
		expect(at.acks()).toEqual([1, 2, 3]);
	});

	it("of a refused message stands in nobody's way", async () => {
		const at = new InputUnderTest().read();
		at.deliver("abc");
		await at.call("b").answer(ACCEPTED);
		await at.call("a").answer(FAILED);
		expect(at.acks()).toEqual([2]);
	});

	it("with ackOrder: strict, of a refused message stops those behind it", async () => {
		const at = new InputUnderTest({ ackOrder: "strict" }).read();
		at.deliver("ab");
		await at.call("b").answer(ACCEPTED);
		await at.call("a").answer(FAILED);
		expect(at.acks()).toEqual([]);
		await pass(30_000);
		await at.call("a").answer(ACCEPTED);
		expect(at.acks()).toEqual([1, 2]);
	});
});

describe("a failed attempt", () => {
	it.each([
		["a verdict", (at: InputUnderTest) => at.call("a").answer(FAILED)],
		["a rejection", (at: InputUnderTest) => at.call("a").reject(new Error("status 500"))],
	])("is %s", async (_, fail) => {
		const at = new InputUnderTest({ backOffMaxRetries: 1, backOffIntervalMs: 1_000 }).read();
		at.deliver("a");
		await fail(at);
		expect(at.reports).toEqual([
			{
				level: "warn",
				code: "delivery-failed",
				message: "attempt 1 failed: status 500; next in 1000 ms",
				details: { topic: "t", bytes: 1, qos: 1, attempts: 1 },
			},
		]);
		await pass(999);
		expect(at.texts).toBe("a");
		await pass(2);
		expect(at.texts).toBe("aa");
	});

	it("is a handler that throws", async () => {
		const at = new InputUnderTest();
		at.input.read(() => {
			throw new Error("thrown");
		});
		at.deliver("a");
		expect(at.reports).toMatchObject([{ code: "held", message: expect.stringContaining("thrown") }]);
	});

	it("is tried again backOffMaxRetries times, while others flow, and then held", async () => {
		const at = new InputUnderTest({ backOffMaxRetries: 2, backOffIntervalMs: 100 }).read();
		at.deliver("p");
		for (const [id, other] of [..."abc"].entries()) {
			await at.call("p").answer(FAILED);
			at.deliver(other, 10 + id);
			await at.call(other).answer(ACCEPTED);
			await pass(101);
		}
		expect([at.texts, at.acks()]).toEqual(["papbpc", [10, 11, 12]]);
		expect(at.codes).toEqual(["delivery-failed", "delivery-failed", "held"]);
		expect(at.input.held.size).toBe(1);
	});

	it("with backOffMaxRetries: -1 is tried again for ever", async () => {
		const at = new InputUnderTest({ backOffMaxRetries: -1, backOffIntervalMs: 10 }).read();
		at.deliver("a");
		for (let attempt = 1; attempt <= 50; attempt++) {
			expect(at.calls).toHaveLength(attempt);
			await at.call("a").answer(FAILED);
			await pass(11);
		}
		await at.call("a").answer(ACCEPTED);
		expect(at.acks()).toEqual([1]);
	});

	it.each([
		["sets the delay", 20_000, 20_000],
		["asks for a minute at most", 3_600_000, 60_000],
		["is not followed in a tight circle", 0, 1_000],
	])("Retry-After %s", async (_, retryAfterMs, delayMs) => {
		const at = new InputUnderTest({ backOffMaxRetries: -1 }).read();
		at.deliver("a");
		await at.call("a").answer({ kind: "failed", error: new Error("status 503"), status: 503, retryAfterMs });
		await pass(delayMs - 1);
		expect(at.texts).toBe("a");
		await pass(2);
		expect(at.texts).toBe("aa");
	});

	it("is dropped, with onRetriesExhausted: drop: acknowledged, counted, and said with topic, size and reason", async () => {
		const at = new InputUnderTest({ onRetriesExhausted: "drop" }).read();
		at.deliver("a");
		await at.call("a").answer(FAILED);
		expect([at.acks(), at.dropped, at.input.held.size]).toEqual([[1], 1, 0]);
		expect(at.reports).toEqual([
			{
				level: "error",
				code: "dropped",
				message: "dropped: retries are used up: status 500",
				details: { topic: "t", bytes: 1, qos: 1, attempts: 1 },
			},
		]);
		await pass(60_000);
		expect(at.texts).toBe("a");
	});

	it("does not keep alive the chunk that its payload came in", async () => {
		const at = new InputUnderTest({ backOffMaxRetries: 1 }).read();
		at.receive(received("", { payload: Buffer.alloc(1_000_000, "a").subarray(0, 3), payloadSize: 3 }));
		await at.call("aaa").answer(FAILED);
		await pass(5_001);
		const { data } = at.call("aaa").event;
		expect([at.texts, data.buffer.byteLength]).toEqual(["aaaaaa", 3]);
	});

	it("of QoS 0 is dropped though others are held", async () => {
		const at = new InputUnderTest().read();
		at.deliver("a", 0, { qos: 0 });
		await at.call("a").answer(FAILED);
		expect([at.codes, at.dropped, at.acks()]).toEqual([["dropped"], 1, []]);
	});
});

describe("what is held", () => {
	it("is tried again every holdInterval, and acknowledged when it is accepted", async () => {
		const at = new InputUnderTest({ holdIntervalMs: 1_000 }).read();
		at.deliver("a");
		await at.call("a").answer(FAILED);
		await pass(740);
		expect(at.texts).toBe("a");
		await pass(261);
		expect(at.texts).toBe("aa");
		await at.call("a").answer(FAILED);
		await pass(1_001);
		expect(at.texts).toBe("aaa");
		await at.call("a").answer(ACCEPTED);
		expect([at.acks(), at.input.held.size, at.codes]).toEqual([[1], 0, ["held", "held-accepted"]]);
	});

	it("has at most a quarter of maxInFlight, oldest first, and the others follow when one was accepted", async () => {
		const at = new InputUnderTest({ maxInFlight: 8 }).read();
		at.deliver("abcdef");
		for (const text of "abcdef") await at.call(text).answer(FAILED);
		await pass(30_001);
		expect(at.texts.slice(6)).toBe("ab");
		await at.call("b").answer(ACCEPTED);
		expect(at.texts.slice(6)).toBe("abc");
		await at.call("a").answer(ACCEPTED);
		await at.call("c").answer(ACCEPTED);
		expect(at.texts.slice(6)).toBe("abcde");
	});

	it("costs nothing while nothing may be handed over: no timer runs", async () => {
		const at = new InputUnderTest({ maxInFlight: 1, holdIntervalMs: 100 }).read();
		at.deliver("ab");
		await at.call("a").answer(FAILED);
		await pass(1_000);
		// The app has b, and a is due: there is no room until b has ended.
		expect([at.texts, vi.getTimerCount()]).toEqual(["ab", 0]);
		at.input.pause("a reason");
		await at.call("b").answer(ACCEPTED);
		await pass(1_000);
		expect([at.texts, vi.getTimerCount()]).toEqual(["ab", 0]);
		at.input.resume();
		expect(at.texts).toBe("aba");
	});

	it("is tried soon after a resume", async () => {
		const at = new InputUnderTest().read();
		at.deliver("a");
		await at.call("a").answer(FAILED);
		at.input.pause("a reason");
		await pass(2_000);
		at.input.resume();
		expect(at.texts).toBe("aa");
	});

	it("stays where it is when the app gives no verdict", async () => {
		const at = new InputUnderTest({ holdIntervalMs: 1_000 }).read();
		at.deliver("a");
		await at.call("a").answer(FAILED);
		await pass(1_001);
		await at.call("a").answer(NO_VERDICT);
		expect([at.input.held.size, at.input.waiting]).toEqual([1, 0]);
		await pass(700);
		expect(at.texts).toBe("aa");
		await pass(301);
		expect(at.call("a").event.metadata.attempt).toBe("2");
		expect(at.texts).toBe("aaa");
	});

	it("stays where it is when the app is unreachable, and is tried once after a resume", async () => {
		const at = new InputUnderTest().read();
		at.deliver("a");
		await at.call("a").answer(FAILED);
		await pass(30_001);
		await at.call("a").answer(UNREACHABLE);
		expect([at.input.held.size, at.input.waiting]).toEqual([1, 0]);
		at.input.resume();
		await pass(1_001);
		expect([at.texts, at.input.running.size]).toEqual(["aaa", 1]);
	});
});

describe("no verdict", () => {
	it("gives the message back: handed over again soon, in order, its attempts and its place unchanged", async () => {
		const at = new InputUnderTest().read();
		at.deliver("abc");
		for (const text of "cab") await at.call(text).answer(NO_VERDICT);
		expect(at.texts).toBe("abc");
		await pass(101);
		expect(at.texts).toBe("abcabc");
		expect(at.call("a").event.metadata).toEqual({ topic: "t" });
		for (const text of "cba") await at.call(text).answer(ACCEPTED);
		expect([at.acks(), at.reports]).toEqual([[1, 2, 3], []]);
	});

	it("a message in whose hands the app dies is tried three times more, then it is a failed attempt", async () => {
		const at = new InputUnderTest().read();
		at.deliver("a");
		for (let crash = 1; crash <= 3; crash++) {
			await at.call("a").answer(CRASHED);
			expect(at.reports).toEqual([]);
			await pass(101);
		}
		expect(at.texts).toBe("aaaa");
		await at.call("a").answer(CRASHED);
		expect(at.reports).toMatchObject([{ code: "held", message: expect.stringContaining("died 4 times") }]);
	});

	it("an unreachable app pauses the intake: nothing is tried until resume, then everything in order", async () => {
		const at = new InputUnderTest({ maxInFlight: 3 }).read();
		at.deliver("abcde");
		for (const text of "bca") await at.call(text).answer(UNREACHABLE);
		expect([at.input.pausedFor, at.input.waiting]).toEqual(["the app does not listen", 5]);
		await pass(3_600_000);
		expect([at.texts, vi.getTimerCount()]).toEqual(["abc", 0]);
		at.input.resume();
		expect(at.texts).toBe("abcabc");
		expect(at.call("a").event.metadata).toEqual({ topic: "t" });
		for (const text of "abc") await at.call(text).answer(ACCEPTED);
		expect([at.texts, at.acks()]).toEqual(["abcabcde", [1, 2, 3]]);
	});

	it("a reason to pause that is there already stands", async () => {
		const at = new InputUnderTest().read();
		at.deliver("a");
		at.input.pause("a reason");
		await at.call("a").answer(UNREACHABLE);
		expect(at.input.pausedFor).toBe("a reason");
	});
});

describe("a connection that ends", () => {
	const again = (at: InputUnderTest, texts: string, firstId = 1) => at.deliver(texts, firstId, { dup: true });

	it("what waited is not handed over until it comes again, and then once", async () => {
		const at = new InputUnderTest({ maxInFlight: 1 }).read();
		at.deliver("abc");
		at.reconnect();
		expect(at.input.waiting).toBe(0);
		await at.call("a").answer(ACCEPTED);
		expect([at.texts, at.acks()]).toEqual(["a", []]);
		again(at, "abc");
		expect(at.acks()).toEqual([1]);
		for (const text of "bc") await at.call(text).answer(ACCEPTED);
		expect([at.texts, at.acks()]).toEqual(["abc", [2, 3]]);
	});

	it("what the app has is adopted: one call, and its acceptance is acknowledged on the new connection", async () => {
		const at = new InputUnderTest().read();
		at.deliver("a");
		at.reconnect();
		again(at, "a", 7);
		await at.call("a").answer(ACCEPTED);
		expect([at.texts, at.acks()]).toEqual(["a", [7]]);
	});

	it("what is between two attempts goes on with the count and with one retry loop, however often the link flaps", async () => {
		const at = new InputUnderTest({ backOffMaxRetries: -1, backOffIntervalMs: 1_000 }).read();
		at.deliver("a");
		await at.call("a").answer(FAILED);
		for (let flap = 0; flap < 5; flap++) {
			await pass(100);
			at.reconnect();
			again(at, "a");
		}
		expect(at.texts).toBe("a");
		await pass(501);
		expect([at.texts, at.call("a").event.metadata.attempt]).toEqual(["aa", "2"]);
		await at.call("a").answer(FAILED);
		await pass(999);
		expect(at.texts).toBe("aa");
	});

	it("what falls due while the connection is gone is tried when it is adopted", async () => {
		const at = new InputUnderTest({ backOffMaxRetries: 1, backOffIntervalMs: 1_000 }).read();
		at.deliver("a");
		await at.call("a").answer(FAILED);
		at.inbound.disconnected(false);
		await pass(2_000);
		expect(at.texts).toBe("a");
		at.inbound.connected(true);
		again(at, "a");
		expect([at.texts, at.call("a").event.metadata.attempt]).toEqual(["aa", "2"]);
	});

	it("what is held stays held", async () => {
		const at = new InputUnderTest().read();
		at.deliver("a");
		await at.call("a").answer(FAILED);
		at.reconnect();
		await pass(31_000);
		expect(at.texts).toBe("a");
		again(at, "a");
		expect([at.texts, at.input.held.size]).toEqual(["aa", 1]);
		await at.call("a").answer(ACCEPTED);
		expect(at.acks()).toEqual([1]);
	});

	it("what fails while its connection is gone counts, and is held", async () => {
		const at = new InputUnderTest().read();
		at.deliver("a");
		at.reconnect();
		await at.call("a").answer(FAILED);
		again(at, "a");
		expect([at.texts, at.input.held.size]).toEqual(["a", 1]);
		await pass(30_001);
		expect(at.call("a").event.metadata.attempt).toBe("2");
	});

	it("a running handler keeps its slot, whatever becomes of its message", async () => {
		const at = new InputUnderTest({ maxInFlight: 1 }).read();
		at.deliver("a");
		at.reconnect({ resumed: false });
		at.deliver("b");
		expect(at.texts).toBe("a");
		await at.call("a").answer(ACCEPTED);
		expect([at.texts, at.acks()]).toEqual(["ab", []]);
	});

	it("of a lost session, what the app never saw is delivered all the same, un-acknowledged, and dropped at the end of its retries", async () => {
		const at = new InputUnderTest({ maxInFlight: 1, backOffMaxRetries: 1, backOffIntervalMs: 10 }).read();
		at.deliver("ab");
		at.reconnect({ resumed: false });
		await at.call("a").answer(FAILED);
		expect(at.texts).toBe("ab");
		await at.call("b").answer(FAILED);
		await pass(11);
		expect(at.texts).toBe("abb");
		await at.call("b").answer(FAILED);
		await pass(60_000);
		expect([at.texts, at.acks(), at.codes]).toEqual(["abb", [], ["delivery-failed", "dropped"]]);
	});

	it("what was forgotten is neither tried again nor held any more, nor keeps its payload", async () => {
		const at = new InputUnderTest({ backOffMaxRetries: 1 }).read();
		at.deliver("ab");
		const [a] = at.inbound.unacknowledged();
		await at.call("a").answer(FAILED);
		at.reconnect({ resumed: false });
		expect(a!.packet.payload).toHaveLength(0);
		await at.call("b").answer(FAILED);
		await pass(60_000);
		expect([at.texts, at.input.held.size, vi.getTimerCount()]).toEqual(["ab", 0, 0]);
	});

	it("QoS 0 just goes on", async () => {
		const at = new InputUnderTest({ maxInFlight: 1, backOffMaxRetries: 1, backOffIntervalMs: 10 }).read();
		at.deliver("ab", 0, { qos: 0 });
		at.reconnect({ resumed: false });
		await at.call("a").answer(FAILED);
		await at.call("b").answer(ACCEPTED);
		await pass(11);
		expect(at.texts).toBe("aba");
	});
});

describe("an identifier that the broker gave to another message", () => {
	it("the older message is not tried again, and the newer one starts when the older one's handler has ended", async () => {
		const at = new InputUnderTest({ backOffMaxRetries: 1, backOffIntervalMs: 10 }).read();
		at.deliver("a", 1);
		at.deliver("b", 1);
		expect(at.texts).toBe("a");
		await at.call("a").answer(FAILED);
		expect(at.texts).toBe("ab");
		await at.call("b").answer(ACCEPTED);
		await pass(60_000);
		expect([at.texts, at.acks()]).toEqual(["ab", [1]]);
	});

	it("the older one's acceptance acknowledges nothing", async () => {
		const at = new InputUnderTest().read();
		at.deliver("a", 1);
		at.deliver("b", 1);
		await at.call("a").answer(ACCEPTED);
		expect([at.texts, at.acks()]).toEqual(["ab", []]);
	});

	it.each([
		["refused", FAILED],
		["without a verdict", NO_VERDICT],
		["with the app unreachable", UNREACHABLE],
	])("a held message that lost its identifier while the app had it is forgotten, %s", async (_, verdict) => {
		const at = new InputUnderTest({ holdIntervalMs: 100 }).read();
		at.deliver("a", 1);
		await at.call("a").answer(FAILED);
		await pass(101);
		at.deliver("b", 1);
		await at.call("a").answer(verdict);
		at.input.resume();
		expect(at.input.held.size).toBe(0);
		await pass(60_000);
		expect(at.texts).toBe("aab");
	});
});

describe("what is too large to be read", () => {
	const large = (packetId: number) => received("large", { packetId });

	it("is held, never tried, and stands in nobody's way", async () => {
		const at = new InputUnderTest({ maxPayloadSize: 4 }).read();
		at.receive(large(1));
		at.deliver("a", 2);
		await at.call("a").answer(ACCEPTED);
		await pass(60_000);
		expect([at.texts, at.acks(), at.input.held.oversized.size]).toEqual(["a", [2], 1]);
		expect(at.reports).toEqual([
			{
				level: "error",
				code: "oversized",
				message: "held un-acknowledged, not tried: 5 bytes are more than maxPayloadSize (4)",
				details: { topic: "t", bytes: 5, qos: 1, attempts: 0 },
			},
		]);
	});

	it("with onOversized: drop is acknowledged and counted", () => {
		const at = new InputUnderTest({ maxPayloadSize: 4, onOversized: "drop" }).read();
		at.receive(large(1));
		expect([at.acks(), at.dropped, at.codes]).toEqual([[1], 1, ["dropped"]]);
	});

	it("is forgotten with its session", () => {
		const at = new InputUnderTest({ maxPayloadSize: 4 }).read();
		at.receive(large(1));
		at.reconnect({ resumed: false });
		expect([at.input.held.oversized.size, at.texts]).toEqual([0, ""]);
	});
});

describe("a topic that none of our filters match", () => {
	it("is delivered, with one warning that names `unsubscribe`, and counted", () => {
		const at = new InputUnderTest({ topic: "$share/g/t/+" }).read();
		at.deliver("a", 1, { topic: "t/x" });
		at.deliver("bc", 2, { topic: "old/\n" });
		expect([at.texts, at.input.strays]).toEqual(["abc", 2]);
		expect(at.reports).toMatchObject([
			{ level: "warn", code: "stray-topic", message: expect.stringMatching(/"old\/\\n" .*"unsubscribe"/) },
		]);
	});
});

describe("draining", () => {
	const never = new AbortController().signal;

	it("hands nothing over any more, not even what is due or comes back", async () => {
		const at = new InputUnderTest({ maxInFlight: 4, backOffMaxRetries: -1, backOffIntervalMs: 100 }).read();
		at.deliver("abcd");
		await at.call("a").answer(FAILED);
		expect(vi.getTimerCount()).toBe(1);
		void at.input.drain(never);
		expect(vi.getTimerCount()).toBe(0);
		await at.call("b").answer(NO_VERDICT);
		await at.call("c").answer(ACCEPTED);
		at.input.pause("a reason");
		at.input.resume();
		at.deliver("e", 5);
		await pass(60_000);
		expect([at.texts, vi.getTimerCount()]).toEqual(["abcd", 0]);
	});

	it("resolves true once no handler runs, and acceptance until then is acknowledged", async () => {
		const at = new InputUnderTest().read();
		at.deliver("ab");
		const drained = vi.fn();
		void at.input.drain(never).then(drained);
		await at.call("a").answer(ACCEPTED);
		expect(drained).not.toHaveBeenCalled();
		await at.call("b").answer(ACCEPTED);
		expect(drained).toHaveBeenCalledWith(true);
		expect(at.acks()).toEqual([1, 2]);
	});

	it("resolves false when the time is over; handlers are told by their signal", async () => {
		const at = new InputUnderTest().read();
		at.deliver("a");
		const grace = new AbortController();
		const drained = at.input.drain(grace.signal);
		expect(at.call("a").signal.aborted).toBe(false);
		grace.abort();
		expect(await drained).toBe(false);
		expect(at.call("a").signal.aborted).toBe(true);
	});

	it.each([
		["a failed attempt", FAILED],
		["a crash", CRASHED],
	])("what a handler says after that is no verdict: with drop, %s is not dropped", async (_, verdict) => {
		const at = new InputUnderTest({ onRetriesExhausted: "drop" }).read();
		at.deliver("a");
		await at.input.drain(AbortSignal.abort());
		await at.call("a").answer(verdict);
		expect([at.acks(), at.reports, at.dropped]).toEqual([[], [], 0]);
	});

	it("but an acceptance counts as long as the connection stands", async () => {
		const at = new InputUnderTest().read();
		at.deliver("a");
		await at.input.drain(AbortSignal.abort());
		await at.call("a").answer(ACCEPTED);
		expect(at.acks()).toEqual([1]);
	});

	it("may be asked for several times at once", async () => {
		const at = new InputUnderTest().read();
		at.deliver("a");
		const impatient = new AbortController();
		const drains = [at.input.drain(never), at.input.drain(impatient.signal), at.input.drain(never)];
		impatient.abort();
		expect(await drains[1]).toBe(false);
		await at.call("a").answer(ACCEPTED);
		expect(await Promise.all(drains)).toEqual([true, false, true]);
	});

	it("resolves at once when nothing runs", async () => {
		expect(await new InputUnderTest().input.drain(never)).toBe(true);
	});
});
