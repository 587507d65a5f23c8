import { describe, expect, it, onTestFinished, vi } from "vitest";
import { eventually } from "../../test/support/eventually.js";
import { connectDevice } from "../../test/support/mqtt-device.js";
import { type Broker, startBroker } from "../broker/broker.js";
import { ConfigurationError, PublishError, StateError } from "../errors.js";
import { ACCEPTED, type Properties, type Report, type Verdict } from "./binding.js";
import { Mqtt3Binding } from "./mqtt3-binding.js";

const nobody = "mqtt://127.0.0.1:1";

async function broker(): Promise<Broker> {
	const started = await startBroker();
	onTestFinished(() => started.close());
	return started;
}

/** Initialised, not started. */
async function initialized(url: string, properties: Properties = {}): Promise<Mqtt3Binding> {
	const binding = new Mqtt3Binding();
	onTestFinished(() => binding.close());
	await binding.init({ name: "orders", properties: { url, topic: "t", consumerID: "c", ...properties } });
	return binding;
}

const create = { operation: "create", data: Buffer.from("x"), metadata: { topic: "out" } };

describe("init", () => {
	it("opens nothing, and says what is worth a warning", async () => {
		const binding = new Mqtt3Binding();
		const warnings = await binding.init({
			name: "orders",
			properties: { url: nobody, topic: "t", consumerID: "c", colour: "red" },
			source: "orders.yaml:1",
		});
		expect(warnings).toEqual([expect.stringMatching(/orders.*colour/)]);
		expect(binding.health()).toMatchObject([{ code: "not-connected", message: expect.stringContaining("(offline)") }]);
		expect(binding.connections).toEqual([
			{ broker: expect.stringContaining("127.0.0.1:1"), clientId: "c", keepsSession: true },
		]);
	});

	it("rejects with everything that is wrong, and then the binding is as before", async () => {
		const binding = new Mqtt3Binding();
		const wrong = binding.init({ name: "orders", properties: { url: "x", topic: "t" } });
		await expect(wrong).rejects.toThrow(ConfigurationError);
		await expect(wrong).rejects.toThrow(/url.*consumerID/s);
		await binding.init({ name: "orders", properties: { url: nobody, topic: "t", consumerID: "c" } });
	});

	it("may happen once", async () => {
		const binding = await initialized(nobody);
		await expect(
			binding.init({ name: "orders", properties: { url: nobody, topic: "t", consumerID: "c" } }),
		).rejects.toThrow(StateError);
	});

	it("comes before everything else but close", async () => {
		const binding = new Mqtt3Binding();
		expect(binding.connections).toEqual([]);
		expect(() => binding.start()).toThrow(StateError);
		expect(() => binding.health()).toThrow(StateError);
		await expect(binding.read(() => ACCEPTED)).rejects.toThrow(StateError);
		await expect(binding.invoke(create)).rejects.toThrow(StateError);
		await binding.close();
	});
});

describe("direction, route and connections", () => {
	it.each<[Properties, string, boolean, string[]]>([
		[{}, "ask", true, ["c"]],
		[{ direction: "input" }, "always", false, ["c"]],
		[{ direction: "output" }, "never", true, ["c"]],
		[{ direction: "input, output" }, "always", true, ["c"]],
		[{ splitConnections: "true" }, "ask", true, ["c-consumer", "c-producer"]],
		[{ splitConnections: "true", direction: "input" }, "always", false, ["c-consumer"]],
		[{ splitConnections: "true", direction: "output" }, "never", true, ["c-producer"]],
	])("%j: reads %s, writes %s, is known as %j", async (properties, reads, writes, clientIds) => {
		const binding = await initialized(nobody, properties);
		expect([binding.reads, binding.writes]).toEqual([reads, writes]);
		expect(binding.connections.map(({ clientId }) => clientId)).toEqual(clientIds);
	});

	it("the route is the component's name unless it names one", async () => {
		expect((await initialized(nobody)).route).toBe("orders");
		expect((await initialized(nobody, { route: "/a/b" })).route).toBe("a/b");
		expect((await initialized(nobody, { route: "/" })).route).toBe("");
	});

	it("an output only has no input, an input only no output", async () => {
		const output = await initialized(nobody, { direction: "output" });
		await expect(output.read(() => ACCEPTED)).rejects.toThrow(/"orders" has no input \(direction\)/);
		const input = await initialized(nobody, { direction: "input" });
		await expect(input.invoke(create)).rejects.toThrow(/"orders" has no output \(direction\)/);
	});

	it("the will goes with the connection that receives", async () => {
		const { url } = await broker();
		await using witness = await connectDevice(url);
		await witness.subscribe("will");
		const binding = await initialized(url, { splitConnections: "true", willTopic: "will", willPayload: "gone" });
		binding.start();
		await eventually(() => binding.ping());
		// Another client of that name: the broker ends the first one's connection without a goodbye.
		await using _producer = await connectDevice(url, { clientId: "c-producer" });
		await using _consumer = await connectDevice(url, { clientId: "c-consumer" });
		await witness.received(1);
		await witness.publish("will", "end");
		expect((await witness.received(2)).map(({ payload }) => String(payload))).toEqual(["gone", "end"]);
	});
});

/** A broker that keeps a session of client `c`, subscribed to `t`. */
async function brokerWithSession(): Promise<Broker> {
	const embedded = await broker();
	const device = await connectDevice(embedded.url, { clientId: "c", clean: false });
	await device.subscribe("t");
	await device.close();
	return embedded;
}

/** Reads, and collects what comes. */
async function readTexts(binding: Mqtt3Binding): Promise<readonly string[]> {
	const texts: string[] = [];
	await binding.read(({ data }) => {
		texts.push(Buffer.from(data).toString());
		return ACCEPTED;
	});
	return texts;
}

describe("what the session holds", () => {
	it("waits un-acknowledged until somebody reads; readiness says so, and the reader gets it", async () => {
		const embedded = await brokerWithSession();
		for (const text of ["a", "b"]) await embedded.publish("t", text);
		const binding = await initialized(embedded.url);
		binding.start();
		await eventually(() => expect(binding.health()).toMatchObject([{ code: "unread", blocking: true }]));
		await expect(binding.ping()).rejects.toThrow(/"orders": .*nobody reads/);
		const texts = await readTexts(binding);
		expect(texts[0]).toBe("a");
		await eventually(() => expect(texts).toEqual(["a", "b"]));
		await eventually(() => binding.ping());
	});

	it("with direction: output stays with the broker; that is said, and blocks nothing", async () => {
		const embedded = await brokerWithSession();
		const output = await initialized(embedded.url, { direction: "output" });
		output.start();
		await eventually(() => output.ping());
		await embedded.publish("t", "for nobody");
		await eventually(() => expect(output.health()).toMatchObject([{ code: "unread", blocking: false }]));
		await output.close();
		const texts = await readTexts(await initialized(embedded.url));
		await eventually(() => expect(texts).toEqual(["for nobody"]));
	});
});

describe("drain", () => {
	it("passes by what comes while handlers end: not even too large a message is dropped then; create works", async () => {
		const embedded = await broker();
		const binding = await initialized(embedded.url, { maxPayloadSize: "10", onOversized: "drop" });
		const codes: string[] = [];
		binding.onReport(({ code }) => codes.push(code));
		let finish = () => {};
		const handler = vi.fn(
			() =>
				new Promise<Verdict>((resolve) => {
					finish = () => resolve(ACCEPTED);
				}),
		);
		await binding.read(handler);
		await eventually(() => binding.ping());
		await embedded.publish("t", "first");
		await eventually(() => expect(handler).toHaveBeenCalledTimes(1));
		const drained = binding.drain(new AbortController().signal);
		await embedded.publish("t", "x".repeat(11));
		await embedded.publish("t", "second");
		// Its PUBACK comes behind the two.
		await binding.invoke(create);
		finish();
		expect(await drained).toBe(true);
		expect(handler).toHaveBeenCalledTimes(1);
		expect(codes).not.toContain("dropped");
	});
});

describe("close", () => {
	it("is for good: no connection, no reader, no publish", async () => {
		const embedded = await broker();
		const binding = await initialized(embedded.url);
		await binding.close();
		const timers = vi.spyOn(globalThis, "setInterval");
		onTestFinished(() => timers.mockRestore());
		binding.start();
		expect(timers).not.toHaveBeenCalled();
		await expect(binding.read(() => ACCEPTED)).rejects.toThrow(/closed/);
		const refusal = binding.invoke(create);
		await expect(refusal).rejects.toThrow(PublishError);
		await expect(refusal).rejects.toThrow(/^not sent: /);
		expect(binding.health()).toMatchObject([{ code: "not-connected", message: expect.stringContaining("(closed)") }]);
	});

	it("leaves no timer behind, also when it was started", async () => {
		const before = process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
		const { url } = await broker();
		const binding = await initialized(url);
		binding.start();
		await eventually(() => binding.ping());
		await Promise.all([binding.close(), binding.close()]);
		await eventually(() => {
			const timers = process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
			// The poll of this very check is one.
			expect(timers).toBeLessThanOrEqual(before + 1);
		});
	});

	it("tells handlers, and does not wait for them", async () => {
		const embedded = await broker();
		const binding = await initialized(embedded.url);
		let signal: AbortSignal | undefined;
		await binding.read((_event, itsSignal) => {
			signal = itsSignal;
			return new Promise(() => {});
		});
		await eventually(() => binding.ping());
		await embedded.publish("t", "x");
		await eventually(() => expect(signal?.aborted).toBe(false));
		await binding.close();
		expect(signal?.aborted).toBe(true);
	});
});

describe("reports", () => {
	it("go to every listener until it leaves", async () => {
		const { url } = await broker();
		const binding = await initialized(url);
		const seen: string[] = [];
		const left: string[] = [];
		binding.onReport(({ code }) => seen.push(code));
		binding.onReport(({ code }) => left.push(code))();
		await binding.read(() => ACCEPTED);
		await eventually(() => expect(seen).toEqual(["connected", "subscribed"]));
		expect(left).toEqual([]);
	});

	it("a listener that throws disturbs nobody, and its error is not swallowed", async () => {
		const embedded = await broker();
		const thrown: unknown[] = [];
		const later = vi.spyOn(globalThis, "queueMicrotask").mockImplementation((callback) => {
			try {
				callback();
			} catch (error) {
				thrown.push(error);
			}
		});
		onTestFinished(() => later.mockRestore());
		const binding = await initialized(embedded.url, { onRetriesExhausted: "drop" });
		const seen: Report[] = [];
		binding.onReport((report) => {
			if (report.code === "dropped") throw new Error("listener");
		});
		binding.onReport((report) => seen.push(report));
		await binding.read(({ data }) =>
			Buffer.from(data).toString() === "bad" ? { kind: "failed", error: new Error("refused") } : ACCEPTED,
		);
		await eventually(() => binding.ping());
		for (const text of ["bad", "good", "bad"]) await embedded.publish("t", text);
		await eventually(() => expect(seen.filter(({ code }) => code === "dropped")).toHaveLength(2));
		expect(thrown).toMatchObject([{ message: "listener" }, { message: "listener" }]);
		expect(seen.map(({ code }) => code)).not.toContain("disconnected");
	});
});
