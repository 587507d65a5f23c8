import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CRASHED, FAILED, InputUnderTest, UNREACHABLE } from "../../test/support/input-parts.js";
import { received } from "../../test/support/session-parts.js";
import { MqttConnectionError } from "../errors.js";
import { parseBrokerUrl } from "../mqtt/broker-url.js";
import type { ClientStatus } from "../mqtt/client-status.js";
import { ACCEPTED, type HealthReason } from "./binding.js";
import { concernsConnection, connectionReasons, deliveryReasons, trustReasons } from "./mqtt3-health.js";
import { resolveOptions } from "./mqtt3-options.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

describe("the connection", () => {
	const url = parseBrokerUrl("mqtt://alice:hunter2@broker:1884");
	const online: ClientStatus = {
		state: "online",
		since: 0,
		url: { ...url, username: undefined, password: undefined },
		cause: undefined,
		connects: 1,
		losses: {},
		sessionsLost: 0,
		orphans: 0,
		subscribing: true,
		subscribed: true,
		problems: [],
		clientId: "me",
		takenOver: false,
		strict: false,
		insistsOnOrder: false,
		outstanding: 0,
		buffered: 0,
		pending: 0,
		unexpectedAnswers: 0,
		lateAnswers: 0,
		window: undefined,
		lastArrival: 0,
	};
	const reasons = (changes: Partial<ClientStatus>, reads = true) =>
		connectionReasons({ status: () => ({ ...online, ...changes }) }, reads);

	it("gives no reason when it is online and subscribed", () => {
		expect(reasons({})).toEqual([]);
	});

	it.each(["offline", "connecting", "closed"] as const)("%s says where to and why", (state) => {
		const cause = new MqttConnectionError("refused by broker:1884", { url: url.href, reason: "refused" });
		const [reason] = reasons({ state, cause });
		expect(reason).toMatchObject({ code: "not-connected", blocking: true });
		expect(reason!.message).toMatch(
			new RegExp(`^not connected to \\S*broker:1884\\S* \\(${state}\\): refused by broker:1884$`),
		);
		expect(reason!.message).not.toContain("hunter2");
	});

	it("with insecureSkipVerify is worth a word, and none without TLS", () => {
		const settings = (options: { readonly url: string; readonly insecureSkipVerify: boolean }) =>
			resolveOptions({ topic: "t", clientId: "me", ...options });
		const skipping = { url: "mqtts://broker", insecureSkipVerify: true };
		expect(trustReasons(settings(skipping))).toMatchObject([{ code: "tls-not-verified", blocking: false }]);
		expect(trustReasons(settings(skipping))[0]!.message).toContain("insecureSkipVerify");
		expect(trustReasons(settings({ ...skipping, insecureSkipVerify: false }))).toEqual([]);
		expect(trustReasons(settings({ ...skipping, url: "mqtt://broker" }))).toEqual([]);
	});

	it("waits for SUBACK, where somebody reads", () => {
		expect(reasons({ subscribed: false })).toMatchObject([{ code: "not-subscribed", blocking: true }]);
		expect(reasons({ subscribed: false }, false)).toEqual([]);
		expect(reasons({ subscribed: false, subscribing: false })).toEqual([]);
	});

	it("names each filter that was not granted as asked, and blocks where the guarantee is gone", () => {
		const problems = [
			{ filter: "a", granted: 0x80, asked: 1, blocking: true },
			{ filter: "b", granted: 0, asked: 1, blocking: true },
			{ filter: "c", granted: 1, asked: 2, blocking: false },
		];
		const found = reasons({ problems });
		expect(found.map(({ code, blocking }) => [code, blocking])).toEqual([
			["subscription-refused", true],
			["subscription-downgraded", true],
			["subscription-downgraded", false],
		]);
		expect(found.map(({ message }) => /"(.)"/.exec(message)?.[1])).toEqual(["a", "b", "c"]);
		expect(found.every(concernsConnection)).toBe(true);
	});
});

/** What readiness says when the last message came `silentMs` ago. */
function reasonsOf(
	{ input, inbound }: InputUnderTest,
	silentMs = 10_000,
	isStrict = false,
	window: number | undefined = undefined,
): readonly HealthReason[] {
	const lastArrival = performance.now() - silentMs;
	const status = () => ({ outstanding: inbound.outstanding, lastArrival, window, strict: isStrict });
	return deliveryReasons({ status, unacknowledged: () => inbound.unacknowledged() }, input);
}

const codes = (...args: Parameters<typeof reasonsOf>) => reasonsOf(...args).map(({ code }) => code);

async function refuseAll(at: InputUnderTest): Promise<void> {
	for (const { text } of [...at.calls]) await at.call(text).answer(FAILED);
}

it("a dead letter that failed is named while its message is held", async () => {
	const at = new InputUnderTest({ deadLetterTopic: "dead" }).read();
	at.deliver("a");
	await at.call("a").answer(FAILED);
	expect(codes(at)).toEqual([]);
	await at.published[0]!.fail(new Error("not sent: the broker is away"));
	expect(reasonsOf(at)).toMatchObject([
		{ code: "held" },
		{
			code: "dead-letter-failed",
			blocking: false,
			message: expect.stringContaining("not sent: the broker is away"),
		},
	]);
});

describe("stalled", () => {
	const ten = "abcdefghij";

	it("is an input of which ten or more were refused, and nothing new came for 5 s", async () => {
		const at = new InputUnderTest().read();
		at.deliver(ten);
		await refuseAll(at);
		const [reason] = reasonsOf(at, 5_001);
		expect(reason).toMatchObject({ code: "stalled", blocking: true });
		expect(reason!.message).toMatch(/^stalled: nothing new for 5 s, .* each of the 10 messages .*\(topic "t"\)/);
		expect(reasonsOf(at).every(concernsConnection)).toBe(false);
		expect(codes(at, 4_999)).toEqual(["held"]);
	});

	it("is one in which ten or more wait behind a refused one of their topic", async () => {
		const at = new InputUnderTest({ ordering: "topic" }).read();
		at.deliver(ten);
		await at.call("a").answer(FAILED);
		expect(codes(at)).toEqual(["stalled"]);
	});

	it("is not one of which fewer were refused: those are named, and block nothing", async () => {
		const at = new InputUnderTest().read();
		at.deliver(ten.slice(1));
		await refuseAll(at);
		expect(reasonsOf(at)).toMatchObject([
			{ code: "held", blocking: false, message: '9 messages are held because the app refused them (topic "t")' },
		]);
		const one = new InputUnderTest().read();
		one.deliver("a");
		await refuseAll(one);
		expect(reasonsOf(one)[0]?.message).toBe('1 message is held because the app refused it (topic "t")');
	});

	it("is one of which as many were refused as this broker was seen to leave un-acknowledged", async () => {
		const at = new InputUnderTest().read();
		at.deliver("a");
		await refuseAll(at);
		expect(codes(at)).toEqual(["held"]);
		expect(codes(at, 10_000, false, 1)).toEqual(["stalled"]);
		expect(codes(at, 10_000, false, 2)).toEqual(["held"]);
	});

	it("is not one of which the app has a single message that it has not refused", async () => {
		const at = new InputUnderTest().read();
		at.deliver(ten);
		await refuseAll(at);
		at.deliver("k", 11);
		expect(codes(at)).toEqual(["held"]);
		await at.call("k").answer(FAILED);
		expect(codes(at)).toEqual(["stalled"]);
	});

	it("is one in which the last is passed over because the app has had it too long", async () => {
		const at = new InputUnderTest().read();
		at.deliver(ten);
		for (const text of ten.slice(1)) await at.call(text).answer(FAILED);
		expect(codes(at)).toEqual(["held"]);
		for (const delivery of at.inbound.unacknowledged()) delivery.passOver();
		expect(codes(at)).toEqual(["stalled"]);
	});

	it("is one that is tried again and again, as with backOffMaxRetries: -1; its topics are named", async () => {
		const at = new InputUnderTest({ topic: "#", backOffMaxRetries: -1 }).read();
		for (const [index, text] of [...ten].entries()) at.deliver(text, 1 + index, { topic: `t/${text}` });
		await refuseAll(at);
		expect(reasonsOf(at)[0]!.message).toContain('(topics "t/a", "t/b", "t/c", …)');
	});

	it("ends when one is accepted", async () => {
		const at = new InputUnderTest().read();
		at.deliver(ten);
		await refuseAll(at);
		await pass(30_001);
		await at.call("a").answer(ACCEPTED);
		at.acks();
		expect(codes(at)).toEqual(["held"]);
	});

	it("with ackOrder: strict, is one whose oldest was refused, whatever is behind it", async () => {
		const at = new InputUnderTest({ ackOrder: "strict" }).read();
		at.deliver(ten);
		for (const text of ten.slice(1)) await at.call(text).answer(ACCEPTED);
		expect(codes(at, 10_000, true)).toEqual([]);
		await at.call("a").answer(FAILED);
		expect(codes(at, 10_000, true)).toEqual(["stalled"]);
	});
});

describe("worth knowing, no hindrance", () => {
	it("messages too large to be read, the first three by topic and size", () => {
		const at = new InputUnderTest({ topic: "#", maxPayloadSize: 4 }).read();
		for (const packetId of [1, 2, 3, 4]) at.receive(received("large", { packetId, topic: `t/${packetId}` }));
		expect(reasonsOf(at)).toEqual(
			[1, 2, 3].map((id) => ({
				code: "oversized",
				message: `held, never tried: 5 bytes on topic "t/${id}"`,
				blocking: false,
			})),
		);
	});

	it("a message that the app has had for longer than a minute", async () => {
		const at = new InputUnderTest().read();
		at.deliver("ab");
		await pass(59_999);
		expect(codes(at)).toEqual([]);
		await pass(2_001);
		expect(reasonsOf(at)).toMatchObject([
			{ code: "slow-handler", blocking: false, message: 'the app has had a message on topic "t" for 62 s' },
		]);
		for (const text of "ab") await at.call(text).answer(ACCEPTED);
		expect(codes(at)).toEqual([]);
	});
});

describe("blocking", () => {
	it("messages that nobody reads", () => {
		const at = new InputUnderTest();
		expect(codes(at)).toEqual([]);
		at.deliver("ab");
		expect(reasonsOf(at)).toMatchObject([
			{ code: "unread", blocking: true, message: expect.stringContaining("2 wait") },
		]);
		at.read();
		expect(codes(at)).toEqual([]);
	});

	it("a pause, with its reason", async () => {
		const at = new InputUnderTest().read();
		at.deliver("a");
		await at.call("a").answer(CRASHED);
		expect(codes(at)).toEqual([]);
		await pass(101);
		await at.call("a").answer(UNREACHABLE);
		expect(reasonsOf(at)).toEqual([
			{ code: "paused", message: "nothing is handed over: the app does not listen", blocking: true },
		]);
		expect(reasonsOf(at).some(concernsConnection)).toBe(false);
		at.input.resume();
		expect(codes(at)).toEqual([]);
	});
});
