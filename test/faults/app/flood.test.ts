import { expect } from "vitest";
import { metric } from "../../integration/sidecar/component.js";
import { distinct, numbers, startLine, texts } from "../../integration/sidecar/line.js";
import { eventually } from "../../support/eventually.js";
import { fault } from "../support/fault.js";

const MIB = 1024 * 1024;

fault(
	{
		rows: ["S-35"],
		injected:
			"QoS 0 as fast as one publisher can, 40,000 of 500 bytes, among 100 of QoS 1, into an app of 20 ms a message",
		scale: "40,000 messages in all instead of 200,000 a second",
	},
	"memory bounded, drops counted, QoS 1 lossless, pings alive",
	async ({ seen }) => {
		await using line = await startLine({
			broker: { maxInflightMessages: 0, logPackets: false, config: ["max_queued_bytes 0"] },
			app: { delayMs: 20 },
			fields: { keepAlive: "1s", maxInFlight: 8, maxBuffered: "4Mi" },
		});
		const { app, sidecar, device } = line;
		const rss = async () => (await metric(sidecar, "process_resident_memory_bytes")) / MIB;
		const before = await rss();
		const startedAt = performance.now();
		let most = 0;
		for (let part = 0; part < 10; part++) {
			await device.publishAll(4_000, () => ({ topic: "in/b", payload: Buffer.alloc(500, "z"), qos: 0 }));
			await device.publishAll(10, (index) => ({ topic: "in/a", payload: String(part * 10 + index) }));
			most = Math.max(most, await rss());
		}
		const seconds = (performance.now() - startedAt) / 1_000;
		const ours = () => texts(app.accepted()).filter((text) => !text.startsWith("z"));
		await eventually(() => expect(distinct(ours())).toEqual(numbers(100)), { timeoutMs: 40_000 });
		const dropped = await metric(sidecar, 'mqtt3_binding_dropped_total{component="orders",reason="qos0"');
		expect(dropped).toBeGreaterThan(0);
		expect(most - before).toBeLessThan(60);
		expect(await metric(sidecar, 'mqtt3_binding_connects_total{component="orders"')).toBe(1);
		await eventually(
			async () => {
				const lost = await metric(sidecar, 'mqtt3_binding_dropped_total{component="orders",reason="qos0"');
				expect(lost + app.accepted().length - ours().length).toBe(40_000);
			},
			{ timeoutMs: 60_000 },
		);
		seen(
			`${Math.round(40_000 / seconds).toLocaleString("en")} a second; ${dropped} of QoS 0 dropped and counted, 100 of 100 of QoS 1; memory +${(most - before).toFixed(0)} MiB; one connection`,
		);
	},
	120_000,
);
