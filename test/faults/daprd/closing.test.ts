import { expect } from "vitest";
import { ONE_ATTEMPT, startDaprdRun } from "../support/daprd-run.js";
import { fault } from "../support/fault.js";

fault(
	{
		rows: ["F-68"],
		injected:
			'daprd closes its input as for a hot reload, under load: what comes meanwhile is answered "input binding is closed"',
		scale: "five times",
	},
	"closed windows are no verdict: the same connection goes on with the next Read, no attempt is counted, nothing is dropped",
	async ({ seen }) => {
		await using run = await startDaprdRun({ seed: 68, properties: ONE_ATTEMPT, delayMs: [50, 150] });
		run.publisher.start(200);
		run.caller.start(2);
		for (let reload = 1; reload <= 5; reload++) {
			await run.waitForAccepted(100 * reload);
			run.fault("Read closed");
			await run.stopReading();
			await run.daprd.init();
			run.daprd.read();
		}
		await run.waitForAccepted(600);
		const summary = await run.verify({ messages: 600, creates: 20, faults: 5 });
		const closed = run.events.length - run.calls;
		expect(closed).toBeGreaterThan(0);
		expect(run.connections).toBe(1);
		expect(run.events.filter(({ metadata }) => metadata.attempt !== undefined)).toEqual([]);
		seen(`${closed} events answered as closed; one connection to the broker; ${summary}`);
	},
);

fault(
	{
		rows: ["F-85"],
		injected:
			'20 messages come on a live connection while daprd closes its input and answers "input binding is closed" to each',
	},
	"they are given back and held, and handed over again, in order, to the next Read on the same connection; no attempt is counted",
	async ({ seen }) => {
		let finish = () => {};
		const slow = new Promise<undefined>((resolve) => {
			finish = () => resolve(undefined);
		});
		const app = (id: string) => (id === "m1" ? slow : undefined);
		await using run = await startDaprdRun({
			seed: 85,
			broker: { maxInflightMessages: 50 },
			properties: ONE_ATTEMPT,
			app,
			delayMs: [0, 0],
		});
		run.publisher.burst(1);
		await run.waitForCalls(1);
		run.fault("Read closed");
		const stopped = run.stopReading();
		const before = run.events.length;
		run.publisher.burst(20);
		const closed = () => run.events.slice(before).map(({ data }) => data.toString());
		const expected = Array.from({ length: 20 }, (_, index) => `m${index + 2}`);
		await expect.poll(() => [...new Set(closed())], { timeout: 10_000 }).toEqual(expected);
		const answered = closed().length;
		finish();
		await stopped;
		expect(run.accepted.size).toBe(1);
		const later = run.events.length;
		run.daprd.read();
		await run.waitForAccepted(21);
		expect(run.events.slice(later).map(({ data }) => data.toString())).toEqual(expected);
		const summary = await run.verify({ messages: 21 });
		expect(run.connections).toBe(1);
		expect(run.events.filter(({ metadata }) => metadata.attempt !== undefined)).toEqual([]);
		seen(`${answered} answers "closed" for 20 messages; then 20 handed over in order; one connection; ${summary}`);
	},
);

fault(
	{
		rows: ["S-22"],
		injected: "the app's health flips eight times under load: daprd stops reading without a new Init, and reads again",
	},
	"an app that is unhealthy now and then: each Read takes over where the one before ended, no attempt is counted, one connection",
	async ({ seen }) => {
		await using run = await startDaprdRun({ seed: 22, properties: ONE_ATTEMPT, delayMs: [30, 90] });
		run.publisher.start(200);
		run.caller.start(2);
		for (let flip = 1; flip <= 8; flip++) {
			await run.waitForAccepted(50 * flip);
			run.fault("the app is unhealthy");
			await run.stopReading();
			await new Promise((resolve) => setTimeout(resolve, 100));
			run.daprd.read();
		}
		await run.waitForAccepted(450);
		const summary = await run.verify({ messages: 450, creates: 20, faults: 8 });
		expect(run.connections).toBe(1);
		expect(run.events.filter(({ metadata }) => metadata.attempt !== undefined)).toEqual([]);
		seen(`nine Reads, one Init, one connection to the broker; ${summary}`);
	},
);
