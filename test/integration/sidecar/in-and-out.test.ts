import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startBroker } from "../../../src/broker/broker.js";
import { startApp } from "../../support/app-process.js";
import { describeWith } from "../../support/left-out.js";
import { connectDevice, type DeviceMessage } from "../../support/mqtt-device.js";
import { startSidecar } from "../../support/sidecar-process.js";
import { component, untilReady } from "./component.js";
import { type Line, startLine, texts } from "./line.js";

/** The topic as an app gets it: header bytes are UTF-8, which Node shows as Latin-1. */
function asHeader(topic: string): string {
	return Buffer.from(topic).toString("latin1");
}

describeWith("mosquitto", "mqtt3-binding run between mosquitto and an app", () => {
	let line: Line;
	beforeAll(async () => {
		line = await startLine({ fields: { topic: "in/#", route: "/events/orders" } });
		await line.device.subscribe("out/#");
	});
	afterAll(() => line?.[Symbol.asyncDispose]());

	/** Publishes and waits for the request that the app gets. */
	async function deliver(topic: string, payload: string | Buffer, options: { qos?: 0 | 1 | 2; retain?: boolean } = {}) {
		const count = line.app.requests().length;
		await line.device.publish(topic, payload, options);
		await expect.poll(() => line.app.requests().length, { timeout: 10_000 }).toBe(count + 1);
		return line.app.requests().at(-1)!;
	}

	/** Calls `create` and waits for the message that the device gets. */
	async function create(body: object): Promise<DeviceMessage> {
		const count = line.device.messages.length;
		const answer = await line.sidecar.create("orders", body);
		expect([answer.status, await answer.text()]).toEqual([204, ""]);
		return (await line.device.received(count + 1)).at(-1)!;
	}

	test("a message arrives at the app's route with its bytes, its topic and nothing that says nothing", async () => {
		const request = await deliver("in/boiler", '{"celsius":71.5}');
		expect([request.path, String(request.payload)]).toEqual(["/events/orders", '{"celsius":71.5}']);
		const { "content-type": type, "content-length": length, topic, ...rest } = request.headers;
		expect([type, length, topic]).toEqual(["application/json", "16", "in/boiler"]);
		expect(Object.keys(rest).sort()).toEqual(["connection", "host"]);
	});

	test("what differs from the usual is told: QoS 0, QoS 2 is reduced to what was asked for", async () => {
		expect((await deliver("in/a", "x", { qos: 0 })).headers).toMatchObject({ topic: "in/a", qos: "0" });
		expect((await deliver("in/a", "x", { qos: 2 })).headers).not.toHaveProperty("qos");
	});

	test.each([
		["no JSON", Buffer.from("plain text")],
		["binary", Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))],
		["empty", Buffer.alloc(0)],
		["only NUL", Buffer.alloc(3)],
		["4 MiB", randomBytes(4 * 2 ** 20)],
	])("F-56: a payload that is %s arrives byte for byte", async (_, payload) => {
		const request = await deliver("in/payload", payload);
		expect(request.payload.equals(payload)).toBe(true);
		expect(request.headers["content-length"]).toBe(String(payload.length));
	});

	test.each([
		["in/温度/küche", asHeader("in/温度/küche")],
		["in/🔥 🚒", asHeader("in/🔥 🚒")],
		["in/a b/ c", "in/a b/ c"],
		["in/50%/x%2Fy", "in/50%/x%2Fy"],
		["in//x/", "in//x/"],
		["in/blank at the end ", "in/blank at the end"],
	])("F-56: the topic %j comes in a header that can be read without loss", async (topic, header) => {
		const { headers } = await deliver(topic, "x");
		expect(headers.topic).toBe(header);
		const encoded = headers["topic-percent"];
		if (encoded === undefined) expect(headers.topic).toBe(topic);
		else expect(decodeURIComponent(encoded)).toBe(topic);
	});

	test("F-56: a topic as long as the app's headers may be comes whole", async () => {
		const topic = `in/${"long".repeat(3_000)}`;
		expect((await deliver(topic, "x")).headers.topic).toBe(topic);
	});

	test("create publishes the JSON text of `data` as it stands, to the topic of the request", async () => {
		const message = await create(
			'{"operation":"create","data":{"b":12345678901234567890, "a":"<&>"},"metadata":{"topic":"out/x"}}' as never,
		);
		expect([message.topic, String(message.payload), message.qos, message.retain]).toEqual([
			"out/x",
			'{"b":12345678901234567890, "a":"<&>"}',
			1,
			false,
		]);
	});

	test("encoding makes of a JSON string its text or the bytes that it holds", async () => {
		const metadata = { topic: "out/x" };
		expect(String((await create({ operation: "create", data: "hi", metadata })).payload)).toBe('"hi"');
		const utf8 = { operation: "create", data: "hi", metadata: { ...metadata, encoding: "utf8" } };
		expect(String((await create(utf8)).payload)).toBe("hi");
		const base64 = { operation: "create", data: "AAH/", metadata: { ...metadata, encoding: "base64" } };
		expect([...(await create(base64)).payload]).toEqual([0, 1, 255]);
	});

	test("retain of the request makes the broker keep a message, and an empty payload clears it", async () => {
		const metadata = { topic: "out/kept", retain: "true" };
		await create({ operation: "create", data: { on: true }, metadata });
		await using late = await connectDevice(line.broker.url);
		await late.subscribe("out/kept");
		const [kept] = await late.received(1);
		expect([String(kept!.payload), kept!.retain]).toEqual(['{"on":true}', true]);

		expect((await create({ operation: "create", metadata })).payload).toHaveLength(0);
		await using later = await connectDevice(line.broker.url);
		await later.subscribe("out/#");
		await later.publish("out/end", "end");
		expect(texts(await later.received(1))).toEqual(["end"]);
	});

	test("a retained message is marked as such for the app", async () => {
		const first = await deliver("in/retained", "old", { retain: true });
		// It was subscribed before: for it this is no retained message [MQTT-3.3.1-9].
		expect(first.headers).not.toHaveProperty("retained");
		const count = line.app.requests().length;
		await line.sidecar.stop();
		await line.sidecar.start();
		await expect.poll(() => line.app.requests().length, { timeout: 10_000 }).toBeGreaterThan(count);
		const again = line.app.requests().slice(count);
		expect(again).toHaveLength(1);
		expect(again[0]!.headers).toMatchObject({ retained: "true", topic: "in/retained" });
	});
});

// Mosquitto takes no such topic.
test("F-56: control characters in a topic are percent-encoded for the app, and break no line of the log", async () => {
	await using broker = await startBroker();
	await using app = await startApp({ status: 500 });
	await using sidecar = await startSidecar({ components: component({ url: broker.url }), appPort: app.port });
	await untilReady(sidecar);
	const topic = "in/a\r\ndapr-api-token: x\u001b[31m";
	await broker.publish(topic, "x");
	await expect.poll(() => app.requests()).toHaveLength(1);
	const { headers } = app.requests()[0]!;
	expect(headers).not.toHaveProperty("dapr-api-token");
	expect([headers.topic, headers["topic-percent"]].map((it) => decodeURIComponent(it ?? ""))).toEqual([topic, topic]);
	await sidecar.line(/code=held /);
	expect(sidecar.output.filter((line) => !line.startsWith("time="))).toEqual([]);
	expect(sidecar.output.join("\n")).not.toContain("\u001b");
});
