import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FAILED, InputUnderTest, UNREACHABLE } from "../../test/support/input-parts.js";
import { received } from "../../test/support/session-parts.js";
import { PublishError } from "../errors.js";
import { ACCEPTED, type Verdict } from "./binding.js";

beforeEach(() => void vi.useFakeTimers({ now: Date.parse("2026-01-02T03:04:05Z") }));
afterEach(() => void vi.useRealTimers());

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const DEAD = { deadLetterTopic: "dead" } as const;

function failedWith(status: number | string, retryAfterMs?: number): Verdict {
	return {
		kind: "failed",
		error: new Error(`status ${status}`),
		status,
		...(retryAfterMs !== undefined && { retryAfterMs }),
	};
}

function reportOf(at: InputUnderTest, index = 0): Record<string, unknown> {
	return JSON.parse(Buffer.from(at.published[index]!.message.payload).toString()) as Record<string, unknown>;
}

describe("a dead letter", () => {
	it("is published at QoS 1 with what happened, and only its acknowledgement releases that of the original", async () => {
		const at = new InputUnderTest({ ...DEAD, backOffMaxRetries: 1, backOffIntervalMs: 10 }).read();
		at.deliver("é");
		await at.call("é").answer(FAILED);
		await pass(10);
		expect(at.published).toEqual([]);
		await at.call("é").answer(FAILED);
		expect(at.published[0]!.message).toMatchObject({ topic: "dead", qos: 1, retain: false });
		expect(reportOf(at)).toEqual({
			topic: "t",
			qos: 1,
			retain: false,
			attempts: 2,
			error: "status 500",
			time: expect.stringMatching(/^2026-01-02T03:04:05/),
			component: "test",
			payload: Buffer.from("é").toString("base64"),
		});
		expect(at.acks()).toEqual([]);
		await at.published[0]!.acknowledge();
		expect([at.acks(), at.input.refused.deadLettered, at.codes]).toEqual([
			[1],
			1,
			["delivery-failed", "dead-lettered"],
		]);
		await pass(600_000);
		expect([at.texts, at.published.length]).toEqual(["éé", 1]);
	});

	it("raw is the bare payload below the topic", async () => {
		const at = new InputUnderTest({ ...DEAD, deadLetterFormat: "raw" }).read();
		at.receive(received("abc", { topic: "x/y" }));
		await at.call("abc").answer(FAILED);
		expect(at.published[0]!.message).toEqual({ topic: "dead/x/y", payload: Buffer.from("abc"), qos: 1, retain: false });
	});

	it("that fails leaves the message held; the app is asked again, and then the dead letter is tried again", async () => {
		const at = new InputUnderTest({ ...DEAD, holdIntervalMs: 1_000 }).read();
		at.deliver("a");
		await at.call("a").answer(FAILED);
		await at.published[0]!.fail(new PublishError("no answer", { outcome: "unknown" }));
		expect([at.acks(), at.input.held.size, at.input.refused.deadLettersFailed]).toEqual([[], 1, 1]);
		expect(at.reports[0]!.message).toContain("its dead letter failed: outcome unknown: no answer");
		await pass(1_001);
		expect(at.texts).toBe("aa");
		await at.call("a").answer(FAILED);
		expect(at.published).toHaveLength(2);
		await at.published[1]!.acknowledge();
		expect([at.acks(), at.input.held.size]).toEqual([[1], 0]);
	});

	it("that fails, of a message that the app takes after all, is not tried again", async () => {
		const at = new InputUnderTest({ ...DEAD, holdIntervalMs: 1_000 }).read();
		at.deliver("a");
		await at.call("a").answer(FAILED);
		await at.published[0]!.fail(new Error("no"));
		await pass(1_001);
		await at.call("a").answer(ACCEPTED);
		expect([at.acks(), at.published.length]).toEqual([[1], 1]);
	});

	it.each([
		["a suspect", new PublishError("the broker ends the connection", { outcome: "unknown", suspect: true })],
		["larger than maxPayloadSize", undefined],
	])("that is %s is not repeated for an hour: held, with that reason", async (_, failure) => {
		const at = new InputUnderTest({
			...DEAD,
			holdIntervalMs: 60_000,
			maxPayloadSize: failure === undefined ? 100 : 1_000,
		}).read();
		at.deliver("a");
		await at.call("a").answer(FAILED);
		if (failure !== undefined) await at.published[0]!.fail(failure);
		expect([at.input.held.size, at.codes]).toEqual([1, ["held"]]);
		expect(at.reports[0]!.message).toContain(failure?.message ?? "(at most 100)");
		const tries = at.published.length;
		for (let minute = 0; minute < 58; minute++) {
			await pass(60_000);
			await at.call("a").answer(FAILED);
		}
		expect([at.published.length, at.acks()]).toEqual([tries, []]);
		expect(at.texts.length).toBeGreaterThan(50);
	});

	it("of a message that came on the dead-letter topic is never made: held", async () => {
		const at = new InputUnderTest({ ...DEAD, deadLetterFormat: "raw" }).read();
		at.receive(received("a", { topic: "dead/x" }));
		at.receive(received("b", { topic: "dead", packetId: 2 }));
		at.receive(received("c", { topic: "deadly", packetId: 3 }));
		for (const text of "abc") await at.call(text).answer(FAILED);
		expect([at.published.length, at.input.held.size]).toEqual([1, 2]);
	});

	it("is not made twice when the connection is lost meanwhile: the redelivery gets the acknowledgement", async () => {
		const at = new InputUnderTest(DEAD).read();
		at.deliver("a");
		await at.call("a").answer(FAILED);
		at.reconnect();
		at.deliver("a", 1, { dup: true });
		expect([at.texts, at.published.length]).toEqual(["a", 1]);
		await at.published[0]!.acknowledge();
		expect([at.acks(), at.texts]).toEqual([[1], "a"]);
	});

	it("acknowledged while the connection is away lets the redelivery be acknowledged at once", async () => {
		const at = new InputUnderTest(DEAD).read();
		at.deliver("a");
		await at.call("a").answer(FAILED);
		at.inbound.disconnected(false);
		await at.published[0]!.acknowledge();
		at.inbound.connected(true);
		at.deliver("a", 1, { dup: true });
		expect([at.acks(), at.texts]).toEqual([[1], "a"]);
	});

	it("of a session that was lost meanwhile acknowledges nothing", async () => {
		const at = new InputUnderTest(DEAD).read();
		at.deliver("a");
		await at.call("a").answer(FAILED);
		at.reconnect({ resumed: false });
		at.deliver("b");
		await at.published[0]!.acknowledge();
		expect(at.acks()).toEqual([]);
		await at.call("b").answer(ACCEPTED);
		expect(at.acks()).toEqual([1]);
	});

	it("is not made for QoS 0, which is dropped", async () => {
		const at = new InputUnderTest(DEAD).read();
		at.deliver("a", 0, { qos: 0 });
		await at.call("a").answer(FAILED);
		expect([at.published, at.dropped, at.codes]).toEqual([[], 1, ["dropped"]]);
	});

	it("is not made once the binding stops, and one on its way is waited for", async () => {
		const at = new InputUnderTest(DEAD).read();
		at.deliver("ab");
		await at.call("a").answer(FAILED);
		const grace = new AbortController();
		let drained: boolean | undefined;
		void at.input.drain(grace.signal).then((result) => {
			drained = result;
		});
		await at.call("b").answer(FAILED);
		expect([at.published.length, drained]).toEqual([1, undefined]);
		await at.published[0]!.acknowledge();
		await pass(0);
		expect([drained, at.acks()]).toEqual([true, [1]]);
	});

	it("that has not arrived when the grace period ends leaves its message with the broker", async () => {
		const at = new InputUnderTest(DEAD).read();
		at.deliver("a");
		await at.call("a").answer(FAILED);
		const drained = at.input.drain(AbortSignal.abort());
		await expect(drained).resolves.toBe(false);
		await at.published[0]!.fail(new Error("the client was closed"));
		expect([at.acks(), at.reports]).toEqual([[], []]);
	});
});

describe("an answer that dropOn or deadLetterOn names", () => {
	const options = {
		...DEAD,
		backOffMaxRetries: 5,
		dropOn: ["422", "4xx"],
		deadLetterOn: ["400", "5xx", "INVALID_ARGUMENT"],
	};

	it.each<[number | string, "drop" | "deadLetter" | "retry"]>([
		[422, "drop"],
		[404, "drop"],
		[400, "deadLetter"],
		[503, "deadLetter"],
		["INVALID_ARGUMENT", "deadLetter"],
		["UNAVAILABLE", "retry"],
		[302, "retry"],
	])("%s: %s, a status itself before its class", async (status, then) => {
		const at = new InputUnderTest(options).read();
		at.deliver("a");
		await at.call("a").answer(failedWith(status));
		expect([at.dropped, at.published.length, at.codes.includes("delivery-failed")]).toEqual([
			then === "drop" ? 1 : 0,
			then === "deadLetter" ? 1 : 0,
			then === "retry",
		]);
		expect(at.acks()).toEqual(then === "drop" ? [1] : []);
	});

	it("counts for a held message as well", async () => {
		const at = new InputUnderTest({ dropOn: ["410"], holdIntervalMs: 1_000 }).read();
		at.deliver("a");
		await at.call("a").answer(FAILED);
		await pass(1_001);
		await at.call("a").answer(failedWith(410));
		expect([at.acks(), at.input.held.size, at.dropped]).toEqual([[1], 0, 1]);
	});

	it("of a handler's own error is found in its status", async () => {
		const at = new InputUnderTest({ dropOn: ["422"] }).read();
		at.deliver("a");
		await at.call("a").reject(Object.assign(new Error("unfit"), { status: 422 }));
		expect([at.acks(), at.dropped]).toEqual([[1], 1]);
	});
});

describe("the time between attempts", () => {
	it("doubles with backOffPolicy: exponential up to backOffMaxInterval, drawn between a quarter of it and all of it", async () => {
		const at = new InputUnderTest({
			backOffMaxRetries: -1,
			backOffPolicy: "exponential",
			backOffIntervalMs: 1_000,
			backOffMaxIntervalMs: 5_000,
		}).read();
		at.deliver("a");
		for (const longest of [1_000, 2_000, 4_000, 5_000, 5_000]) {
			const calls = at.calls.length;
			await at.call("a").answer(FAILED);
			await pass(longest / 4 - 1);
			expect(at.calls).toHaveLength(calls);
			await pass(longest * 0.75 + 1);
			expect(at.calls).toHaveLength(calls + 1);
		}
	});

	it("is what the app asks for, up to backOffMaxInterval", async () => {
		const at = new InputUnderTest({ backOffMaxRetries: -1, backOffMaxIntervalMs: 7_000 }).read();
		at.deliver("a");
		await at.call("a").answer(failedWith(429, 3_600_000));
		await pass(6_999);
		expect(at.texts).toBe("a");
		await pass(1);
		expect(at.texts).toBe("aa");
	});
});

describe("handlerTimeout", () => {
	it("ends a call that takes longer: its signal aborts, it is an attempt that failed, others flow", async () => {
		const at = new InputUnderTest({
			handlerTimeoutMs: 1_000,
			maxInFlight: 1,
			backOffMaxRetries: 1,
			backOffIntervalMs: 500,
		}).read();
		at.deliver("ab");
		await pass(999);
		expect([at.texts, at.call("a").signal.aborted]).toEqual(["a", false]);
		await pass(1);
		expect([at.texts, at.call("a").signal.aborted, at.call("b").signal.aborted]).toEqual(["ab", true, false]);
		expect(at.reports[0]!.message).toBe("attempt 1 failed: no answer within handlerTimeout (1000 ms); next in 500 ms");
		await at.call("b").answer(ACCEPTED);
		expect(at.acks()).toEqual([2]);
		await pass(500);
		expect(at.texts).toBe("aba");
	});

	it("makes what the call says later count for nothing", async () => {
		const at = new InputUnderTest({ handlerTimeoutMs: 1_000 }).read();
		at.deliver("a");
		await pass(1_000);
		await at.call("a").answer(ACCEPTED);
		expect([at.acks(), at.input.held.size, at.input.running.size]).toEqual([[], 1, 0]);
	});

	it("leaves a call that ends in time alone", async () => {
		const at = new InputUnderTest({ handlerTimeoutMs: 1_000 }).read();
		at.deliver("a");
		await pass(500);
		at.deliver("b", 2);
		await at.call("a").answer(ACCEPTED);
		await pass(999);
		await at.call("b").answer(ACCEPTED);
		await pass(10_000);
		expect([at.acks(), at.reports]).toEqual([[1, 2], []]);
	});

	it("ends with the binding: signals of calls that run abort", async () => {
		const at = new InputUnderTest({ handlerTimeoutMs: 1_000 }).read();
		at.deliver("a");
		await at.input.drain(AbortSignal.abort());
		expect([at.call("a").signal.aborted, vi.getTimerCount()]).toEqual([true, 0]);
	});

	it("an app that does not listen is no attempt, as without it", async () => {
		const at = new InputUnderTest({ handlerTimeoutMs: 1_000 }).read();
		at.deliver("a");
		await at.call("a").answer(UNREACHABLE);
		await pass(10_000);
		expect([at.reports, at.input.pausedFor]).toEqual([[], "the app does not listen"]);
	});
});

describe("a filter that the configuration names in unsubscribe", () => {
	it("what comes for it alone is acknowledged undelivered and counted; a stray message is delivered with a warning", () => {
		const at = new InputUnderTest({ unsubscribe: ["old/#", "$share/g/older"] }).read();
		at.receive(received("a", { topic: "old/x" }));
		at.receive(received("b", { topic: "older", packetId: 2 }));
		at.receive(received("c", { topic: "t", packetId: 3 }));
		at.receive(received("d", { topic: "elsewhere", packetId: 4 }));
		expect([at.texts, at.acks(), at.input.refused.dropped.unsubscribed]).toEqual(["cd", [1, 2], 2]);
		expect(at.reports.map(({ message }) => message)).toEqual([expect.stringContaining('"unsubscribe"')]);
	});

	it("a message that one of our filters matches as well is delivered", () => {
		const at = new InputUnderTest({ topic: "a/+", unsubscribe: ["a/#"] }).read();
		at.receive(received("x", { topic: "a/b" }));
		expect([at.texts, at.acks()]).toEqual(["x", []]);
	});
});
