import { expect } from "vitest";
import { ClientUnderTest } from "../../integration/client/client-under-test.js";
import { metric } from "../../integration/sidecar/component.js";
import { distinct, numbers, texts } from "../../integration/sidecar/line.js";
import { eventually } from "../../support/eventually.js";
import { startMosquitto } from "../../support/mosquitto.js";
import { connectDevice } from "../../support/mqtt-device.js";
import { fault } from "../support/fault.js";
import { startWatchedLine } from "../support/watched-line.js";

fault(
	{ rows: ["F-87"], injected: "20 messages of 4 MiB at once, with maxBuffered of 10 MB" },
	"the reading pauses at the cap, and all of them arrive in order",
	async ({ seen }) => {
		await using mosquitto = await startMosquitto();
		const size = 4 * 1024 * 1024;
		await using it = new ClientUnderTest(mosquitto.url, { maxBuffered: 10_000_000 });
		it.client.subscribe();
		await it.client.connect();
		await it.reported("subscribed");
		await using device = await connectDevice(mosquitto.url);
		await device.publishAll(20, (index) => ({ topic: "a/b", payload: Buffer.alloc(size, index) }));
		await it.delivered(3);
		let most = 0;
		for (let next = 1; next <= 20; next++) {
			const delivery = await it.delivered(next);
			most = Math.max(most, it.client.status().buffered);
			delivery.ack();
		}
		expect(it.deliveries.map(({ packet }) => packet.payload[0])).toEqual(
			Array.from({ length: 20 }, (_, index) => index),
		);
		expect(most).toBeLessThan(10_000_000 + size + 1_000);
		seen(`20 of 20, at most ${(most / 1_000_000).toFixed(1)} MB buffered`);
	},
);

fault(
	{
		rows: ["F-87"],
		injected:
			"8 MB of QoS 0 within a moment into an app that is slow, with maxBuffered of 4 MiB; QoS 1 messages before and after",
	},
	"QoS 0 takes a quarter of the buffer and is dropped beyond, counted; QoS 1 is lossless",
	async ({ seen }) => {
		await using line = await startWatchedLine({
			broker: { maxInflightMessages: 0, config: ["max_queued_bytes 0"] },
			app: { delayMs: 50 },
			fields: { maxBuffered: "4Mi", maxInFlight: 4 },
		});
		const { app, sidecar, device } = line;
		await device.publishAll(20, (index) => ({ topic: "in/a", payload: String(index) }));
		await device.publishAll(800, () => ({ topic: "in/b", payload: Buffer.alloc(10_000, "z"), qos: 0 }));
		await device.publishAll(20, (index) => ({ topic: "in/a", payload: String(20 + index) }));
		const dropped = async () => await metric(sidecar, 'mqtt3_binding_dropped_total{component="orders",reason="qos0"');
		await eventually(async () => expect(await dropped()).toBeGreaterThan(0));
		const ours = () => texts(app.accepted()).filter((text) => !text.startsWith("z"));
		await eventually(() => expect(distinct(ours())).toEqual(numbers(40)), { timeoutMs: 20_000 });
		await eventually(
			async () => {
				const taken = app.accepted().length - ours().length;
				expect(taken + (await dropped())).toBe(800);
			},
			{ timeoutMs: 20_000 },
		);
		const taken = app.accepted().length - ours().length;
		// A quarter of 4 MiB is 102 messages; the app takes a few meanwhile.
		expect(taken).toBeGreaterThanOrEqual(100);
		expect(taken).toBeLessThan(200);
		seen(`40 of 40 of QoS 1; of 800 of QoS 0 ${taken} taken and ${await dropped()} dropped and counted`);
	},
	60_000,
);
