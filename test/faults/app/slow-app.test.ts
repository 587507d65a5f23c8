import { expect } from "vitest";
import { metric } from "../../integration/sidecar/component.js";
import { distinct, type Line, numbers, startLine, texts } from "../../integration/sidecar/line.js";
import { eventually } from "../../support/eventually.js";
import { fault } from "../support/fault.js";

const MIB = 1024 * 1024;

/** What the broker's log says of the sidecar's connection. */
function count({ broker }: Line, pattern: RegExp): number {
	return broker.log.filter((text) => text.includes("sidecar-orders") && pattern.test(text)).length;
}

fault(
	{
		rows: ["F-35"],
		injected: "an app that takes four keep-alives for each message",
		scale: "a keep-alive of 1 s; 4 instead of 10 of them",
	},
	"slower than the keep-alive it costs no connection, and create works meanwhile",
	async ({ seen }) => {
		await using line = await startLine({
			broker: { logPackets: true },
			app: { delayMs: 4_000 },
			fields: { keepAlive: "1s" },
		});
		const { broker, app, sidecar, device } = line;
		await device.publishAll(30, (index) => ({ topic: "in/a", payload: String(index) }));
		await eventually(() => expect(app.requests()).toHaveLength(20));
		const started = performance.now();
		const answer = await sidecar.create("orders", { operation: "create", data: 1, metadata: { topic: "out/x" } });
		expect(answer.status).toBe(204);
		expect(performance.now() - started).toBeLessThan(1_000);
		expect(distinct(texts(await app.acceptedAtLeast(30, 20_000)))).toEqual(numbers(30));
		const own = broker.log.filter((text) => text.includes("sidecar-orders"));
		expect(own.filter((text) => /Received PINGREQ/.test(text)).length).toBeGreaterThan(4);
		expect(own.filter((text) => /New client connected/.test(text))).toHaveLength(1);
		expect(app.requests()).toHaveLength(30);
		seen("30 of 30 after 4 s each, one connection, pinged all the time");
	},
	60_000,
);

fault(
	{
		rows: ["S-8"],
		injected:
			"handlers that block for 12 s while 20,000 messages wait, with a keep-alive of 1 s and a broker without a window",
		scale: "12 s and 20,000 messages instead of 10 min and 50,000",
	},
	"the connection never drops, memory stays flat, pings are answered, in flight stays below its limit",
	async ({ seen }) => {
		await using line = await startLine({
			broker: { maxInflightMessages: 0, logPackets: true },
			app: { delayMs: 12_000 },
			fields: { keepAlive: "1s", maxInFlight: 10, maxBuffered: "4Mi" },
		});
		const { app, sidecar, device } = line;
		await device.publishAll(20_000, (index) => ({ topic: "in/a", payload: String(index) }));
		await eventually(() => expect(app.requests()).toHaveLength(10));
		const memory: number[] = [];
		const inFlight: number[] = [];
		for (let second = 0; second < 8; second++) {
			await new Promise((resolve) => setTimeout(resolve, 1_000));
			memory.push((await metric(sidecar, "process_resident_memory_bytes")) / MIB);
			inFlight.push(await metric(sidecar, 'mqtt3_binding_in_flight{component="orders"'));
		}
		expect(Math.max(...inFlight)).toBe(10);
		expect(Math.max(...memory) - memory[1]!).toBeLessThan(30);
		const pings = count(line, /Received PINGREQ/);
		expect(pings).toBeGreaterThanOrEqual(5);
		expect(count(line, /Sending PINGRESP/)).toBeGreaterThanOrEqual(pings - 1);
		await app.answer({});
		expect(distinct(texts(await app.acceptedAtLeast(20_000, 60_000)))).toEqual(numbers(20_000));
		expect(await metric(sidecar, 'mqtt3_binding_connects_total{component="orders"')).toBe(1);
		seen(
			`memory ${memory[0]!.toFixed(0)} to ${Math.max(...memory).toFixed(0)} MiB, 10 in flight, ${pings} pings, one connection; 20,000 of 20,000 accepted`,
		);
	},
	120_000,
);

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
