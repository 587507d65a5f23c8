import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "../../support/left-out.js";
import { connectDevice, type DeviceMessage } from "../../support/mqtt-device.js";
import { type Line, startLine, texts } from "./line.js";

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
