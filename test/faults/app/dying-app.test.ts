import { expect } from "vitest";
import { logged, metric, untilReady, untilReason } from "../../integration/sidecar/component.js";
import { distinct, numbers, texts } from "../../integration/sidecar/line.js";
import { eventually } from "../../support/eventually.js";
import type { Mosquitto } from "../../support/mosquitto.js";
import { fault } from "../support/fault.js";
import { startFaultRun } from "../support/fault-run.js";
import { startWatchedLine } from "../support/watched-line.js";

/** PUBACKs that mosquitto has read from the sidecar, by its log. */
function acknowledgements({ log }: Mosquitto): number {
	return log.filter((text) => /Received PUBACK from sidecar-orders/.test(text)).length;
}

/** More at once than mosquitto has on its way by itself. */
const UNLIMITED = { maxInflightMessages: 0, logPackets: true };

for (const onRetriesExhausted of ["hold", "drop"]) {
	fault(
		{
			rows: ["F-85"],
			injected: `the app is killed with 200 messages in its hands, backOffMaxRetries: 0, onRetriesExhausted: ${onRetriesExhausted}`,
		},
		"it gets them again when it is back: no attempt burnt, nothing acknowledged, the same connection",
		async ({ seen }) => {
			await using line = await startWatchedLine({
				broker: UNLIMITED,
				app: { end: "hang" },
				fields: { backOffMaxRetries: 0, onRetriesExhausted },
			});
			const { broker, app, sidecar, device } = line;
			await device.publishAll(200, (index) => ({ topic: "in/a", payload: String(index) }));
			await eventually(() => expect(app.requests()).toHaveLength(200));
			await app.kill();
			const { message, blocking } = await untilReason(sidecar, "app-unreachable");
			expect([message, blocking]).toEqual([
				expect.stringMatching(/^the app at 127\.0\.0\.1:\d+ does not listen since .*: its events wait$/),
				true,
			]);
			expect((await sidecar.ready()).status).toBe(503);
			expect((await fetch(`${sidecar.url}/v1.0/healthz/outbound`)).status).toBe(204);
			expect(acknowledgements(broker)).toBe(0);

			await app.answer({});
			await app.start();
			expect(distinct(texts(await app.acceptedAtLeast(200)))).toEqual(numbers(200));
			expect(app.requests()).toHaveLength(400);
			for (const { headers } of app.requests()) expect(headers).not.toHaveProperty("attempt");
			await eventually(() => expect(acknowledgements(broker)).toBe(200));
			await untilReady(sidecar);
			for (const code of ["held", "dropped", "delivery-failed"]) expect(logged(sidecar, code)).toEqual([]);
			expect(logged(sidecar, "app-unreachable")).toHaveLength(1);
			expect(broker.log.filter((text) => /New client connected .* as sidecar-orders /.test(text))).toHaveLength(1);
			seen(`200 at the app when it died, 0 PUBACKs; 200 accepted and acknowledged after its return, as first attempts`);
		},
	);
}

fault(
	{
		rows: ["F-37"],
		injected: "an app that exits whenever it gets one of the messages, and is started again; 30 others behind it",
	},
	"one that dies of a message dies of it four times; then the message is held and the others flow",
	async ({ seen }) => {
		await using line = await startWatchedLine({ app: { rules: [{ payloads: ["deadly"], end: "exit" }] } });
		const { app, sidecar, device } = line;
		await device.publish("in/a", "deadly");
		await device.publishAll(30, (index) => ({ topic: "in/a", payload: String(index) }));
		for (let death = 1; death <= 4; death++) {
			await app.exited;
			if (death < 4) await app.start();
		}
		await sidecar.line(/the app died 4 times with this message in its hands.* code=held /);
		await app.answer({});
		await app.start();
		expect(distinct(texts(await app.acceptedAtLeast(31, 20_000)).filter((text) => text !== "deadly"))).toEqual(
			numbers(30),
		);
		seen("4 deaths, then held; 30 of 30 others accepted");
	},
	60_000,
);

fault(
	{
		rows: ["F-34"],
		injected:
			"the app is killed three times under a load of 1,500 messages, each time until it shows and pings went on",
		scale: "some seconds each instead of 10 min, with a keep-alive of 1 s",
	},
	"it costs neither attempts nor the connection, nothing is acknowledged meanwhile, and all of it arrives",
	async ({ seen }) => {
		await using line = await startWatchedLine({
			broker: { logPackets: true },
			fields: { keepAlive: "1s" },
			app: { delayMs: [0, 3] },
		});
		const { broker, app, sidecar, device } = line;
		const load = device.publishAll(1_500, (index) => ({ topic: "in/a", payload: String(index) }));
		for (const share of [200, 600, 1_000]) {
			await app.acceptedAtLeast(share);
			await app.kill();
			await untilReason(sidecar, "app-unreachable");
			const pings = () => broker.log.filter((text) => /Received PINGREQ from sidecar-orders/.test(text)).length;
			const before = pings();
			await eventually(() => expect(pings()).toBeGreaterThan(before));
			await app.start();
		}
		await load;
		expect(distinct(texts(await app.acceptedAtLeast(1_500, 20_000)))).toEqual(numbers(1_500));
		for (const { headers } of app.requests()) expect(headers).not.toHaveProperty("attempt");
		expect(broker.log.filter((text) => /New client connected .* as sidecar-orders /.test(text))).toHaveLength(1);
		expect(logged(sidecar, "held")).toEqual([]);
		seen("1,500 of 1,500 accepted as first attempts, over one connection that was pinged all the time");
	},
	60_000,
);

fault(
	{
		rows: ["F-34", "S-28"],
		injected:
			"nobody listens at the app's port when 100 messages come; backOffMaxRetries: 3 with a dead-letter topic, 10 ms between retries",
		scale: "3 s instead of 10 min",
	},
	"the intake is paused: no attempt, no dead letter, no PUBACK; with the app they come in order",
	async ({ seen }) => {
		await using line = await startWatchedLine({
			broker: { logPackets: true, maxInflightMessages: 0 },
			fields: { backOffMaxRetries: 3, backOffInterval: "10ms", deadLetterTopic: "dead", maxInFlight: 1 },
		});
		const { broker, app, sidecar, device } = line;
		await device.subscribe("dead", 1);
		await app.kill();
		await device.publishAll(100, (index) => ({ topic: "in/a", payload: String(index) }));
		await untilReason(sidecar, "app-unreachable");
		await new Promise((resolve) => setTimeout(resolve, 3_000));
		expect(acknowledgements(broker)).toBe(0);
		expect(await metric(sidecar, 'mqtt3_binding_paused{component="orders"')).toBe(1);
		await app.start();
		await app.acceptedAtLeast(100);
		expect(texts(app.accepted())).toEqual(numbers(100));
		for (const { headers } of app.requests()) expect(headers).not.toHaveProperty("attempt");
		await eventually(() => expect(acknowledgements(broker)).toBe(100));
		expect(device.messages).toEqual([]);
		await untilReady(sidecar);
		seen("0 PUBACKs and 0 dead letters while it was gone; 100 of 100 in order, as first attempts");
	},
	60_000,
);

fault(
	{
		rows: ["F-85", "F-34"],
		injected: "the app is killed twice and its connections are reset twice, under 800 messages",
	},
	"no loss, no early acknowledgement, and copies only of what was at the app",
	async ({ seen }) => {
		await using run = await startFaultRun({ seed: 85, app: { delayMs: [0, 20] }, fields: { holdInterval: "1s" } });
		run.publisher.burst(800);
		await run.waitForAccepted(100);
		await run.killApp();
		await run.waitForAccepted(300);
		run.cutApp();
		await run.waitForAccepted(500);
		await run.killApp();
		await run.waitForAccepted(650);
		run.cutApp();
		seen(await run.verify({ messages: 800, creates: 0 }));
	},
	60_000,
);
