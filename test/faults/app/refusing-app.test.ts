import { expect } from "vitest";
import { logged, metric, reasons, untilReady, untilReason } from "../../integration/sidecar/component.js";
import { distinct, type Line, numbers, startLine, texts } from "../../integration/sidecar/line.js";
import { eventually } from "../../support/eventually.js";
import { fault } from "../support/fault.js";
import { startFaultRun } from "../support/fault-run.js";
import { startWatchedLine } from "../support/watched-line.js";

const REFUSED = { rules: [{ pattern: "^bad", status: 500 }] };

function bad(count: number): string[] {
	return numbers(count).map((number) => `bad ${number}`);
}

async function publish({ device }: Line, payloads: readonly string[]): Promise<void> {
	await device.publishAll(payloads.length, (index) => ({ topic: "in/a", payload: payloads[index]! }));
}

/** How often a sidecar has connected to the broker of this line. */
function connects({ broker }: Line): number {
	return broker.log.filter((text) => /New client connected .* as sidecar-orders /.test(text)).length;
}

function dropped({ sidecar }: Line): Promise<number> {
	return metric(sidecar, 'mqtt3_binding_dropped_total{component="orders",reason="retries-exhausted"');
}

fault(
	{ rows: ["F-43"], injected: "an app that refuses 15 messages, then accepts", scale: "holdInterval of 2 s" },
	"the 16th arrives at once, and those again by themselves when it accepts, on the same connection",
	async ({ seen }) => {
		await using line = await startWatchedLine({ app: REFUSED, fields: { holdInterval: "2s" } });
		const { app, sidecar } = line;
		await publish(line, [...bad(15), "good"]);
		await app.acceptedAtLeast(1, 2_000);
		expect(texts(app.accepted())).toEqual(["good"]);
		expect(texts(app.requests())).toEqual([...bad(15), "good"]);
		expect((await sidecar.ready()).status).toBe(200);
		const held = await untilReason(sidecar, "held");
		expect(held.message).toBe('15 messages are held because the app refused them (topic "in/a")');

		await app.answer({});
		const accepted = texts(await app.acceptedAtLeast(16));
		expect(accepted.sort()).toEqual(["good", ...bad(15)].sort());
		expect(await reasons(sidecar)).toEqual([]);
		expect(connects(line)).toBe(1);
		seen(`"${held.message}"; all 16 accepted on one connection`);
	},
);

fault(
	{
		rows: ["F-44", "S-6", "S-52"],
		injected: "an app that refuses 25 messages, more than mosquitto's window of 20, with hold; then accepts",
		scale: "holdInterval of 1 s",
	},
	"stalled, once in the log and in readiness, until it accepts; create works meanwhile",
	async ({ seen }) => {
		await using line = await startWatchedLine({ app: REFUSED, fields: { holdInterval: "1s" } });
		const { app, sidecar } = line;
		await publish(line, [...bad(25), "good"]);
		await sidecar.line(/code=stalled /);
		const stalled = await untilReason(sidecar, "stalled");
		expect(stalled.message).toMatch(/^stalled: nothing new for \d+ s, .*\b20 messages.*refused.*\(topic "in\/a"\)/);
		expect((await sidecar.ready()).status).toBe(503);
		expect((await fetch(`${sidecar.url}/v1.0/healthz`)).status, "no reason to restart the pod").toBe(204);
		expect(texts(app.requests())).not.toContain("good");
		const answer = await sidecar.create("orders", { operation: "create", data: 1, metadata: { topic: "out/x" } });
		expect(answer.status, "the other direction goes on").toBe(204);

		await app.answer({});
		await app.acceptedAtLeast(26, 15_000);
		await untilReady(sidecar);
		await sidecar.line(/code=stalled-no-more /);
		expect(logged(sidecar, "stalled")).toHaveLength(1);
		expect(connects(line)).toBe(1);
		expect(texts(app.accepted()).sort()).toEqual(["good", ...bad(25)].sort());
		seen(`"${stalled.message}"; all 26 accepted on one connection`);
	},
	60_000,
);

for (const [name, maxInflightMessages, count] of [
	["1", 1, 3],
	["no limit", 0, 3_000],
] as const) {
	fault(
		{
			rows: ["F-44"],
			injected: `a broker whose window is ${name}, an app that refuses all of ${count} messages, then accepts`,
			...(maxInflightMessages === 0 && { scale: "3,000 instead of 65,535 messages" }),
		},
		"no wedge: create works meanwhile, and all are accepted when the app recovers, on the same connection",
		async ({ seen }) => {
			await using line = await startWatchedLine({
				broker: { maxInflightMessages },
				app: { status: 500 },
				fields: { holdInterval: "1s" },
			});
			const { app, sidecar, device } = line;
			await device.publishAll(count, (index) => ({ topic: "in/a", payload: String(index) }));
			await eventually(
				() => expect(app.requests().length).toBeGreaterThanOrEqual(Math.min(count, maxInflightMessages || count)),
				{ timeoutMs: 30_000 },
			);
			const request = { operation: "create", data: 1, metadata: { topic: "out/x" } };
			expect((await sidecar.create("orders", request)).status).toBe(204);
			const held = await metric(sidecar, 'mqtt3_binding_held{component="orders"');
			await app.answer({});
			expect(distinct(texts(await app.acceptedAtLeast(count, 30_000)))).toEqual(numbers(count));
			await untilReady(sidecar);
			expect(connects(line)).toBe(1);
			seen(`up to ${held} held; ${count} of ${count} accepted, one connection`);
		},
		60_000,
	);
}

fault(
	{
		rows: ["F-41"],
		injected: "message 7 of 400 is always refused; onRetriesExhausted: drop after 2 retries",
	},
	"it is acknowledged once, counted and said with its reason; the others flow",
	async ({ seen }) => {
		await using line = await startWatchedLine({
			broker: { logPackets: true },
			app: { rules: [{ payloads: ["7"], status: 500 }] },
			fields: { onRetriesExhausted: "drop", backOffMaxRetries: 2, backOffInterval: "50ms" },
		});
		const { app, broker, sidecar, device } = line;
		await device.publishAll(400, (index) => ({ topic: "in/a", payload: String(index) }));
		const others = numbers(400).filter((number) => number !== "7");
		await eventually(() => expect(distinct(texts(app.accepted()))).toEqual(others), { timeoutMs: 15_000 });
		const [line1] = await sidecar.line(/.*code=dropped .*/);
		expect(line1).toMatch(
			/msg="dropped: retries are used up: the app answered 500 to POST \/orders" topic=in\/a .*attempts=3/,
		);
		expect(texts(app.requests()).filter((text) => text === "7")).toHaveLength(3);
		await eventually(async () => expect(await dropped(line)).toBe(1));
		const acks = () => broker.log.filter((text) => /Received PUBACK from sidecar-orders/.test(text));
		await eventually(() => expect(acks()).toHaveLength(400));
		expect(logged(sidecar, "dropped")).toHaveLength(1);
		expect(await reasons(sidecar)).toEqual([]);
		seen("3 attempts, 1 dropped and said once; 399 others accepted, 400 PUBACKs");
	},
	60_000,
);

fault(
	{
		rows: ["S-6"],
		injected: "25 messages that are always refused, then 100 good ones; onRetriesExhausted: drop, and deadLetter",
	},
	"the good ones flow; all 25 are counted, and with deadLetter stand in the dead-letter topic",
	async ({ seen }) => {
		for (const fields of [{ onRetriesExhausted: "drop" }, { deadLetterTopic: "dead/letters" }]) {
			await using line = await startWatchedLine({
				app: REFUSED,
				fields: { backOffMaxRetries: 1, backOffInterval: "50ms", ...fields },
			});
			await line.device.subscribe("dead/#", 1);
			await publish(line, [...bad(25), ...numbers(100)]);
			await line.app.acceptedAtLeast(100);
			expect(distinct(texts(line.app.accepted()))).toEqual(numbers(100));
			if ("deadLetterTopic" in fields) {
				await line.device.received(25);
				const letters = line.device.messages.map(({ payload }) => JSON.parse(String(payload)));
				const payloads = letters.map(({ payload }) => Buffer.from(payload, "base64").toString());
				expect(payloads.sort()).toEqual(bad(25).sort());
				expect(letters[0]).toMatchObject({ topic: "in/a", attempts: 2, component: "orders" });
			} else {
				await eventually(async () => expect(await dropped(line)).toBe(25));
			}
			await eventually(async () =>
				expect(await metric(line.sidecar, 'mqtt3_binding_unacknowledged{component="orders"')).toBe(0),
			);
			expect(connects(line)).toBe(1);
		}
		seen(
			"100 of 100 good ones accepted both times; 25 counted as dropped; 25 of 25 dead letters with payload and topic",
		);
	},
	60_000,
);

fault(
	{
		rows: ["S-52"],
		injected: "20 messages are refused, as many as mosquitto's window, with backOffMaxRetries: 0; then a healthy one",
	},
	"with hold readiness turns false with the reason; with drop the slots are free and it arrives at once",
	async ({ seen }) => {
		await using held = await startLine({ app: REFUSED, fields: { backOffMaxRetries: 0, holdInterval: "30s" } });
		await publish(held, [...bad(20), "good"]);
		const { message } = await untilReason(held.sidecar, "stalled", 20_000);
		expect((await held.sidecar.ready()).status).toBe(503);
		await using free = await startWatchedLine({
			app: REFUSED,
			fields: { backOffMaxRetries: 0, onRetriesExhausted: "drop" },
		});
		await publish(free, [...bad(20), "good"]);
		await free.app.acceptedAtLeast(1, 5_000);
		expect(texts(free.app.accepted())).toEqual(["good"]);
		expect((await free.sidecar.ready()).status).toBe(200);
		seen(`hold: 503, "${message}"; drop: the healthy one accepted, ready`);
	},
	60_000,
);

fault(
	{ rows: ["F-43", "F-41"], injected: "a tenth of 600 messages is refused twice, under load, with resets in between" },
	"each is accepted in the end; attempts and acknowledgements hold against the invariants",
	async ({ seen }) => {
		await using run = await startFaultRun({
			seed: 43,
			app: { delayMs: [0, 10], rules: [{ pattern: "^[0-9]*3\\b", status: 500, times: 2 }] },
			fields: { backOffMaxRetries: 1, backOffInterval: "50ms", holdInterval: "1s" },
		});
		run.publisher.burst(600);
		await run.waitForAccepted(200);
		run.proxy.reset();
		await run.waitForAccepted(400);
		run.proxy.reset();
		seen(await run.verify({ messages: 600, creates: 0 }));
	},
	60_000,
);
