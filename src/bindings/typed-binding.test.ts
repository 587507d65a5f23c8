import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { eventually } from "../../test/support/eventually.js";
import { type Broker, startBroker } from "../broker/broker.js";
import { ConfigurationError, PublishError, StateError } from "../errors.js";
import type { Message, MessageDelivery } from "./message.js";
import type { Mqtt3Options } from "./mqtt3-options.js";
import { type CreateRequest, createBinding, type TypedBinding } from "./typed-binding.js";

let broker: Broker;
beforeEach(async () => {
	broker = await startBroker();
});
afterEach(() => broker.close());

/** Connects as the same client each time. */
function open(options: Partial<Mqtt3Options> = {}, signal?: AbortSignal): TypedBinding {
	const binding = createBinding({ url: broker.url, topic: "t/#", clientId: "library", ...options }, signal);
	onTestFinished(async () => void (await binding.close({ graceMs: 0 })));
	return binding;
}

async function send(...payloads: readonly string[]): Promise<void> {
	for (const payload of payloads) await broker.publish("t/x", payload);
}

/** Asserts what the broker still has for a client of that session. */
async function expectLeftOver(...expected: readonly string[]): Promise<void> {
	await using binding = open();
	const texts: string[] = [];
	await binding.receive((message) => void texts.push(message.text()));
	await binding.ready();
	await send("marker");
	// The embedded broker does not keep the order of what waited and what is new.
	await eventually(() => expect(texts.toSorted()).toEqual([...expected, "marker"].toSorted()));
}

/** Takes the next delivery out of a loop. */
async function take(loop: AsyncGenerator<MessageDelivery>): Promise<MessageDelivery> {
	const { value } = await loop.next();
	if (value === undefined) throw new Error("the loop has ended");
	return value;
}

describe("receive", () => {
	it.each([
		["returns", () => undefined],
		["returns a value", () => false],
		["resolves", async () => "x"],
		// biome-ignore lint/suspicious/noThenProperty: a promise of somebody else's making
		["resolves in its own way", () => ({ then: (resolve: (value: unknown) => void) => resolve(undefined) })],
	])("a handler that %s accepts", async (_, handler) => {
		const binding = open();
		let calls = 0;
		await binding.receive(() => {
			calls++;
			return handler();
		});
		await binding.ready();
		await send("a");
		await eventually(() => expect(calls).toBe(1));
		expect(await binding.close()).toBe(true);
		await expectLeftOver();
	});

	it.each([
		[
			"throws",
			() => {
				throw new Error("no");
			},
		],
		["rejects", () => Promise.reject(new Error("no"))],
		["rejects with what is no error", () => Promise.reject("no")],
	])("a handler that %s declines: tried again, then held", async (_, handler) => {
		const binding = open({ backOffMaxRetries: 1, backOffIntervalMs: 10 });
		const attempts: number[] = [];
		const reports: string[] = [];
		binding.on("report", ({ code, message }) => reports.push(`${code} ${message}`));
		await binding.receive(({ attempt }) => {
			attempts.push(attempt);
			return handler();
		});
		await binding.ready();
		await send("a");
		await eventually(() => expect(reports.at(-1)).toMatch(/^held .*: no$/));
		expect(attempts).toEqual([1, 2]);
		expect(await binding.close()).toBe(true);
		await expectLeftOver("a");
	});

	it("a message has its topic, bytes, text, JSON and flags", async () => {
		await broker.publish("t/retained", '{"ä":1}', { retain: true });
		const binding = open();
		const messages: Message[] = [];
		await binding.receive((message) => void messages.push(message));
		await binding.ready();
		await broker.publish("t/zero", "no JSON", { qos: 0 });
		await eventually(() => expect(messages).toHaveLength(2));
		const [retained, zero] = messages;
		expect(retained).toMatchObject({ topic: "t/retained", qos: 1, retained: true, duplicate: false, attempt: 1 });
		expect(Buffer.from(retained!.data).toString()).toBe('{"ä":1}');
		expect([retained!.text(), retained!.json()]).toEqual(['{"ä":1}', { ä: 1 }]);
		expect(zero).toMatchObject({ topic: "t/zero", qos: 0, retained: false });
		expect(() => zero!.json()).toThrow(SyntaxError);
	});

	it("is for one reader, of an open binding, that has an input", async () => {
		const binding = open();
		await binding.receive(() => {});
		await expect(binding.receive(() => {})).rejects.toThrow(StateError);
		await binding.close();
		await expect(binding.receive(() => {})).rejects.toThrow(StateError);
		await expect(open({ direction: ["output"], clientId: "o" }).receive(() => {})).rejects.toThrow(StateError);
	});
});

describe("deliveries", () => {
	it("come one by one, and several may be open: ack accepts, nack declines, the first of the two counts", async () => {
		const binding = open({ backOffMaxRetries: 1, backOffIntervalMs: 10 });
		const reasons: string[] = [];
		binding.on("delivery-failed", ({ message }) => reasons.push(message));
		const loop = binding.deliveries();
		const first = loop.next();
		await binding.ready();
		await send("a", "b", "c");
		const { value } = await first;
		const [a, b, c] = [value!, await take(loop), await take(loop)];
		expect([a.text(), b.text(), c.text()]).toEqual(["a", "b", "c"]);
		c.nack("not today");
		c.ack();
		b.ack();
		b.nack();
		const again = await take(loop);
		expect([again.text(), again.attempt]).toEqual(["c", 2]);
		expect(reasons).toEqual([expect.stringMatching(/^attempt 1 failed: not today;/)]);
		again.ack();
		a.ack();
		expect(await binding.close()).toBe(true);
		await expectLeftOver();
	});

	it("nack takes an error, or nothing", async () => {
		const binding = open({ backOffMaxRetries: 2, backOffIntervalMs: 1 });
		const reasons: string[] = [];
		binding.on("delivery-failed", ({ message }) => reasons.push(message));
		const loop = binding.deliveries();
		const first = loop.next();
		await binding.ready();
		await send("a");
		(await first).value!.nack(new Error("as an error"));
		(await take(loop)).nack();
		(await take(loop)).ack();
		expect(reasons).toEqual([expect.stringContaining("as an error;"), expect.stringContaining("declined;")]);
	});

	it("leaving the loop stops the intake for good: what was not acknowledged stays with the broker", async () => {
		const binding = open();
		const all = ["a", "b", "c", "d"];
		setImmediate(() => void binding.ready().then(() => send(...all)));
		const seen: string[] = [];
		for await (const delivery of binding.deliveries()) {
			seen.push(delivery.text());
			if (seen.length === 3) break;
			if (seen.length === 1) delivery.ack();
		}
		expect(seen).toEqual(["a", "b", "c"]);
		expect(binding.health()).toMatchObject([{ code: "paused", blocking: true }]);
		await send("e");
		await expect(binding.deliveries().next()).rejects.toThrow(StateError);
		// b and c were looked at, and nobody said what becomes of them.
		expect(await binding.close({ graceMs: 50 })).toBe(false);
		await expectLeftOver("b", "c", "d", "e");
	});

	it("an error thrown in the loop leaves it too", async () => {
		const binding = open();
		setImmediate(() => void binding.ready().then(() => send("a")));
		const loop = async () => {
			for await (const delivery of binding.deliveries()) throw new Error(`in the loop: ${delivery.text()}`);
		};
		await expect(loop()).rejects.toThrow("in the loop: a");
		expect(binding.health()).toMatchObject([{ code: "paused" }]);
	});

	it("what is open when the loop is left can still be settled", async () => {
		const binding = open();
		const loop = binding.deliveries();
		const first = loop.next();
		await binding.ready();
		await send("a", "b");
		const { value } = await first;
		await loop.return();
		value!.ack();
		expect(await binding.close()).toBe(true);
		await expectLeftOver("b");
	});

	it("end when the binding closes, which waits for those that were looked at and for no others", async () => {
		const binding = open();
		const loop = binding.deliveries();
		const first = loop.next();
		await binding.ready();
		await send("a", "b", "c");
		const { value } = await first;
		const closed = binding.close({ graceMs: 60_000 });
		setImmediate(() => value!.ack());
		expect(await closed).toBe(true);
		expect(await loop.next()).toEqual({ value: undefined, done: true });
		await expectLeftOver("b", "c");
	});

	it("a loop that waits for the next one ends too", async () => {
		const binding = open();
		const loop = binding.deliveries();
		const next = loop.next();
		await binding.close();
		expect(await next).toEqual({ value: undefined, done: true });
	});

	it("a second reader is turned away, and the first goes on", async () => {
		const binding = open();
		const texts: string[] = [];
		await binding.receive((message) => void texts.push(message.text()));
		await expect(binding.deliveries().next()).rejects.toThrow(StateError);
		await binding.ready();
		await send("a");
		await eventually(() => expect(texts).toEqual(["a"]));
	});
});

describe("create", () => {
	it("sends text as UTF-8, bytes as they are, and nothing as an empty payload", async () => {
		const binding = open({ topic: "out" });
		const payloads: string[] = [];
		broker.onPublish(({ payload }) => payloads.push(Buffer.from(payload).toString("hex")));
		for (const data of ["ä", new Uint8Array([0, 255]), undefined]) await binding.create({ data });
		await eventually(() => expect(payloads).toEqual(["c3a4", "00ff", ""]));
	});

	it("rejects what can't be published, and what was cancelled", async () => {
		const binding = open();
		await expect(binding.create({ topic: "a/#" })).rejects.toThrow(ConfigurationError);
		for (const wrong of [
			{ data: { celsius: 1 } },
			{ data: 5 },
			{ data: null },
			{ data: new ArrayBuffer(3) },
			{ topic: 5 },
			undefined,
		]) {
			// What a JavaScript program may pass, in spite of the types.
			const created = binding.create(wrong as unknown as CreateRequest);
			await expect(created).rejects.toThrow(/^create: (data|topic|request) is .*: expected /);
			await expect(created).rejects.toThrow(ConfigurationError);
		}
		await expect(binding.create({ topic: "a" }, AbortSignal.abort())).rejects.toThrow(PublishError);
		await binding.close();
		await expect(binding.create({ topic: "a" })).rejects.toMatchObject({ outcome: "not-sent" });
	});

	it("works from inside a handler, and the handler may wait for it", async () => {
		const binding = open({ maxInFlight: 1 });
		const out: string[] = [];
		broker.onPublish(({ topic, payload }) => {
			if (topic === "out") out.push(Buffer.from(payload).toString());
		});
		await binding.receive(async (message) => await binding.create({ topic: "out", data: message.text() }));
		await binding.ready();
		await send("a", "b");
		await eventually(() => expect(out).toEqual(["a", "b"]));
	});
});

describe("ready", () => {
	it("waits for the broker, and for the subscription where somebody reads", async () => {
		const { port } = broker;
		await broker.close();
		const binding = open();
		await binding.receive(() => {});
		let isReady = false;
		const ready = binding.ready().then(() => {
			isReady = true;
		});
		await eventually(() => expect(binding.health()[0]?.message).toMatch(/refused/));
		expect(isReady).toBe(false);
		broker = await startBroker({ port });
		await ready;
		expect(binding.health()).toEqual([]);
	});

	it("does not wait for somebody to read what the session holds", async () => {
		const before = open();
		await before.receive(() => {});
		await before.ready();
		await before.close();
		await send("a");
		const binding = open();
		await eventually(() => expect(binding.health()).toMatchObject([{ code: "unread" }]));
		await binding.ready();
	});

	it("rejects when its signal aborts, and when the binding closes", async () => {
		await broker.close();
		const binding = open();
		const stop = new AbortController();
		const [impatient, patient] = [binding.ready(stop.signal), binding.ready()];
		stop.abort(new Error("enough"));
		await expect(impatient).rejects.toThrow("enough");
		const refusal = expect(patient).rejects.toThrow(StateError);
		await binding.close();
		await refusal;
		await expect(binding.ready()).rejects.toThrow(StateError);
	});
});

describe("the end", () => {
	it("close waits for handlers as long as it is told, and says whether any were left running", async () => {
		const binding = open();
		let finish = () => {};
		let signal: AbortSignal | undefined;
		await binding.receive(
			(_message, itsSignal) =>
				new Promise<void>((resolve) => {
					signal = itsSignal;
					finish = resolve;
				}),
		);
		await binding.ready();
		await send("a");
		await eventually(() => expect(signal).toBeDefined());
		const closed = binding.close({ graceMs: 60_000 });
		expect(signal?.aborted).toBe(false);
		finish();
		expect(await closed).toBe(true);
		expect(await binding.close({ graceMs: 0 })).toBe(true);
		await expectLeftOver();
	});

	it("a handler that is left running is told by its signal, and its message stays with the broker", async () => {
		const binding = open({ onRetriesExhausted: "drop" });
		let started = false;
		await binding.receive(
			(_message, signal) =>
				new Promise((_resolve, reject) => {
					started = true;
					signal.addEventListener("abort", () => reject(signal.reason));
				}),
		);
		await binding.ready();
		await send("a");
		await eventually(() => expect(started).toBe(true));
		expect(await binding.close({ graceMs: 20 })).toBe(false);
		await expectLeftOver("a");
	});

	it("`await using` closes", async () => {
		let binding: TypedBinding;
		{
			await using inner = open();
			await inner.ready();
			binding = inner;
		}
		expect(binding.health()).toMatchObject([{ code: "not-connected", message: expect.stringContaining("closed") }]);
	});

	it("a signal closes, now or from the start", async () => {
		const stop = new AbortController();
		const binding = open({}, stop.signal);
		await binding.ready();
		stop.abort();
		await expect(binding.ready()).rejects.toThrow(StateError);
		expect(await binding.close()).toBe(true);
		expect(() => open({}, AbortSignal.abort(new Error("never")))).toThrow("never");
	});
});

describe("what happens inside", () => {
	it("is told by name, or all of it, until the listener leaves", async () => {
		const binding = open();
		const connected: string[] = [];
		const all: string[] = [];
		binding.on("connected", ({ message }) => connected.push(message));
		binding.on("report", ({ code }) => all.push(code));
		const leave = binding.on("subscribed", () => connected.push("left"));
		leave();
		await binding.receive(() => {});
		await binding.ready();
		expect(connected).toEqual([expect.stringMatching(/^connected to tcp:\/\/127\.0\.0\.1:\d+/)]);
		expect(all).toEqual(["connected", "subscribed"]);
	});
});

describe("options", () => {
	it("that are wrong are listed together, before anything is connected", () => {
		const wrong = { url: "x", topic: "a/#/b", clientId: "", qos: 3 } as unknown as Mqtt3Options;
		expect(() => createBinding(wrong)).toThrow(ConfigurationError);
		expect(() => createBinding(wrong)).toThrow(/url.*topic|topic.*url/s);
	});

	it("that lose messages are warned of", async () => {
		expect(open().warnings).toEqual([]);
		const binding = open({ cleanSession: true, onRetriesExhausted: "hold" });
		expect(binding.warnings).toEqual([expect.stringContaining("onRetriesExhausted")]);
	});
});
