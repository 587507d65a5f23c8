import { expect } from "vitest";
import { component, metric, untilReady, untilReason } from "../../integration/sidecar/component.js";
import { distinct, numbers, texts } from "../../integration/sidecar/line.js";
import { startApp } from "../../support/app-process.js";
import { startMosquitto } from "../../support/mosquitto.js";
import { connectDevice } from "../../support/mqtt-device.js";
import { startSidecar } from "../../support/sidecar-process.js";
import { fault } from "../support/fault.js";

fault(
	{
		rows: ["S-26"],
		injected:
			"both directions, and create is called at once while nobody listens at the app's port, so that the input does not read; then the app comes",
	},
	"one connection of one client identifier for both: the calls succeed before anything is read, and then the input reads on it",
	async ({ seen }) => {
		await using broker = await startMosquitto({ logPackets: true });
		await using app = await startApp();
		await app.kill();
		await using device = await connectDevice(broker.url);
		await device.subscribe("out/#", 1);
		await using sidecar = await startSidecar({ components: component({ url: broker.url }), appPort: app.port });
		const calls = await Promise.all(
			Array.from({ length: 20 }, async (_, data) => {
				const request = { operation: "create", data, metadata: { topic: "out/x" } };
				return (await sidecar.create("orders", request)).status;
			}),
		);
		expect(calls).toEqual(Array(20).fill(204));
		await device.received(20);
		await untilReason(sidecar, "app-unreachable");
		await app.start();
		await untilReady(sidecar);
		await device.publishAll(10, (index) => ({ topic: "in/a", payload: String(index) }));
		expect(distinct(texts(await app.acceptedAtLeast(10)))).toEqual(numbers(10));
		const connects = broker.log.filter((text) => /New client connected .* as sidecar-orders/.test(text));
		expect(connects).toHaveLength(1);
		expect(await metric(sidecar, 'mqtt3_binding_connects_total{component="orders",connection="both"')).toBe(1);
		expect(
			broker.log.filter((text) => /Client sidecar-orders (already connected|closed|disconnected)/.test(text)),
		).toEqual([]);
		seen("20 calls 204 before the app was there, 10 of 10 messages accepted after it came, one connection");
	},
);
