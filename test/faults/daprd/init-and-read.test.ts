import { expect } from "vitest";
import { Daprd, failureOf } from "../../support/daprd.js";
import { eventually } from "../../support/eventually.js";
import { ONE_ATTEMPT, startDaprdRun } from "../support/daprd-run.js";
import { fault } from "../support/fault.js";

fault(
	{
		rows: ["F-66", "S-26"],
		injected:
			"under load: Init while a Read is open, a second and a third Read without Init, and Read before Init; then the output's Init first and Read late",
	},
	"one owner: an Init under an open Read is refused, a second Read takes over, Read before Init is refused; one connection, whatever the order",
	async ({ seen }) => {
		await using run = await startDaprdRun({ seed: 66, properties: ONE_ATTEMPT, delayMs: [20, 80] });
		run.publisher.start(200);
		run.caller.start(2);
		await run.waitForAccepted(50);
		run.fault("Init while a Read is open");
		const second = await failureOf(run.daprd.initInput({ ...run.properties, topic: "other/#" }));
		expect(second.code).toBe("ALREADY_EXISTS");
		for (let takeover = 1; takeover <= 2; takeover++) {
			run.readAgain();
			await run.waitForAccepted(50 + 50 * takeover);
		}
		const ended = Array(2).fill({ details: expect.stringMatching(/another Read took over/) });
		await eventually(() => expect(run.daprd.ended).toMatchObject(ended), { timeoutMs: 15_000 });
		run.fault("Read before Init");
		await using stranger = await Daprd.create({ socket: run.component.socket, component: "other", properties: {} });
		stranger.read();
		await eventually(() => expect(stranger.ended).toHaveLength(1));
		expect(stranger.ended).toMatchObject([{ code: 9, details: expect.stringMatching(/not initialized/) }]);

		await run.stopReading();
		run.fault("Init of the output, then of the input, Read late");
		await run.daprd.initOutput();
		await run.daprd.initInput();
		await new Promise((resolve) => setTimeout(resolve, 300));
		run.daprd.read();
		await run.waitForAccepted(250);
		const summary = await run.verify({ messages: 250, creates: 20, faults: 5 });
		expect(run.connections).toBe(1);
		seen(`Init: ${second.code}; two Reads taken over; one connection to the broker; ${summary}`);
	},
);

fault(
	{
		rows: ["F-66", "S-25"],
		injected: "a second daprd, of another app, uses the same socket and the same component name, under load",
	},
	"the second is refused with the remedy, and the first loses nothing; when the first is gone, a restarted second takes over",
	async ({ seen }) => {
		await using run = await startDaprdRun({ seed: 25, properties: ONE_ATTEMPT });
		run.publisher.start(200);
		await run.waitForAccepted(50);
		run.fault("a second daprd");
		await using second = await Daprd.create({ socket: run.component.socket, properties: run.properties });
		const refused = await failureOf(second.initInput());
		expect(refused).toMatchObject({
			code: "ALREADY_EXISTS",
			details: expect.stringMatching(/one socket folder per app/),
		});
		await run.waitForAccepted(150);
		expect(second.events).toEqual([]);
		run.killDaprd();
		await run.startDaprd();
		await run.waitForAccepted(250);
		const summary = await run.verify({ messages: 250, faults: 2 });
		seen(`"${refused.details}"; ${summary}`);
	},
);

fault(
	{
		rows: ["F-69"],
		injected:
			"under load daprd answers to events that it was not sent, answers each event twice, and after a second Read those of the first",
	},
	"answers without an event are ignored and counted: no acknowledgement comes of them",
	async ({ seen }) => {
		await using run = await startDaprdRun({ seed: 69, properties: ONE_ATTEMPT, delayMs: [20, 80] });
		run.publisher.start(200);
		await run.waitForAccepted(50);
		run.fault("unknown ids");
		for (let n = 1; n <= 100; n++) run.daprd.answer({ messageId: String(1_000_000 + n) });
		await run.waitForAccepted(100);
		run.fault("second answers");
		const before = run.daprd.events.map(({ messageId }) => messageId);
		for (const messageId of before.slice(0, 50)) run.daprd.answer({ messageId });
		await run.waitForAccepted(150);
		run.readAgain();
		await run.waitForAccepted(200);
		run.fault("answers of the Read before");
		// Ids of this Read begin anew: those that it was not sent yet are the other one's.
		const late = run.daprd.events.map(({ messageId }) => messageId).slice(0, before.length);
		for (const messageId of late.slice(-30)) run.daprd.answer({ messageId: String(Number(messageId) + 10_000) });
		await run.waitForAccepted(250);
		const [line] = await run.component.line(/code=unknown-message-id/);
		const summary = await run.verify({ messages: 250, faults: 4 });
		seen(`"${/msg="([^"]*)/.exec(line)?.[1]}"; ${summary}`);
	},
);
