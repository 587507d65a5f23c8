import { describe, expect, it, onTestFinished } from "vitest";
import { eventually } from "../../test/support/eventually.js";
import { type BrokerMessage, startBroker } from "../broker/broker.js";
import { COMMAND_TOPIC, DemoDevice, type DemoDeviceOptions, READING_TOPIC } from "./demo-device.js";

async function setUp() {
	const broker = await startBroker();
	const published: BrokerMessage[] = [];
	broker.onPublish((message) => published.push(message));
	const commands: { payload: string; roundTripMs: number | undefined }[] = [];
	const lost: string[] = [];
	const options: DemoDeviceOptions = {
		host: "127.0.0.1",
		port: broker.port,
		intervalMs: 20,
		onReading: () => {},
		onCommand: (payload, roundTripMs) => commands.push({ payload, roundTripMs }),
		onLost: (reason) => lost.push(reason),
	};
	const device = await DemoDevice.start(options);
	onTestFinished(async () => {
		await device[Symbol.asyncDispose]();
		await broker.close();
	});
	await eventually(() => expect(published.length).toBeGreaterThan(0));
	return { broker, published, commands, lost, device };
}

describe("DemoDevice", () => {
	it("readings reach the broker at QoS 1, numbered, and a command that answers one has its round trip", async () => {
		const { broker, published, commands } = await setUp();
		await eventually(() => expect(published.length).toBeGreaterThan(2));
		const [first] = published;
		expect(first).toMatchObject({ topic: READING_TOPIC, qos: 1, clientId: "demo-device" });
		expect(JSON.parse(Buffer.from(first!.payload).toString())).toEqual({ reading: 1, celsius: 57.6 });
		await broker.publish(COMMAND_TOPIC, '{"reading":1,"heating":true}');
		await broker.publish(COMMAND_TOPIC, '{"reading":1,"heating":true}');
		await broker.publish(COMMAND_TOPIC, "no JSON");
		await eventually(() => expect(commands).toHaveLength(3));
		expect(commands.map(({ roundTripMs }) => typeof roundTripMs)).toEqual(["number", "undefined", "undefined"]);
	});

	it("a switched-on heating warms the boiler", async () => {
		const { broker, published } = await setUp();
		await broker.publish(COMMAND_TOPIC, '{"heating":true}');
		await eventually(() => {
			const celsius = published
				.filter(({ topic }) => topic === READING_TOPIC)
				.map(({ payload }) => JSON.parse(Buffer.from(payload).toString()).celsius);
			expect(Math.max(...celsius)).toBeGreaterThan(60);
		});
	});

	it("a broker that goes away is told of, once; a device that is stopped tells nothing", async () => {
		const first = await setUp();
		await first.broker.close();
		await eventually(() => expect(first.lost).toEqual(["the broker closed the device's connection"]));
		await first.device[Symbol.asyncDispose]();

		const second = await setUp();
		await second.device[Symbol.asyncDispose]();
		await second.broker.close();
		expect(second.lost).toEqual([]);
	});

	it("it can't start without a broker", async () => {
		const { broker, device } = await setUp();
		await device[Symbol.asyncDispose]();
		await broker.close();
		const options = { host: "127.0.0.1", port: broker.port, intervalMs: 20 };
		const ignore = { onReading: () => {}, onCommand: () => {}, onLost: () => {} };
		await expect(DemoDevice.start({ ...options, ...ignore })).rejects.toThrow("ECONNREFUSED");
	});
});
