import { join } from "node:path";
import { expect } from "vitest";
import { failureOf } from "../../support/daprd.js";
import { eventually } from "../../support/eventually.js";
import { tempFolder } from "../../support/temp-folder.js";
import { ONE_ATTEMPT, startDaprdRun } from "../support/daprd-run.js";
import { fault } from "../support/fault.js";

fault(
	{
		rows: ["F-65"],
		injected: "daprd is killed three times with messages at the app, and started again, under load in both directions",
	},
	"kill -9 of daprd: no verdict, no attempt counted, the connection to the broker kept; the next Init and Read go on",
	async ({ seen }) => {
		await using run = await startDaprdRun({ seed: 65, properties: ONE_ATTEMPT, delayMs: [50, 150] });
		run.publisher.start(200);
		run.caller.start(2);
		for (let kill = 1; kill <= 3; kill++) {
			await run.waitForAccepted(100 * kill);
			run.killDaprd();
			await new Promise((resolve) => setTimeout(resolve, 300));
			await run.startDaprd();
		}
		await run.waitForAccepted(400);
		const summary = await run.verify({ messages: 400, creates: 20, faults: 3 });
		expect(run.connections).toBe(1);
		expect(run.events.filter(({ metadata }) => metadata.attempt !== undefined)).toEqual([]);
		seen(`one connection to the broker through it all; ${summary}`);
	},
);

fault(
	{
		rows: ["F-67", "S-23"],
		injected: "the component is killed and started again under a daprd that goes on, under load in both directions",
	},
	"without what daprd had sent: Invoke is refused at once with the remedy, and the input waits, said, until daprd is restarted",
	async ({ seen }) => {
		await using run = await startDaprdRun({ seed: 67, properties: ONE_ATTEMPT });
		run.publisher.start(200);
		run.caller.start(2);
		await run.waitForAccepted(100);
		await run.restartComponent();
		const refusal = await eventually(async () => {
			const failure = await failureOf(run.daprd.invoke({ metadata: { topic: "out/y" } }));
			expect(failure.code).toBe("FAILED_PRECONDITION");
			return failure;
		});
		expect(refusal.details).toMatch(/restart daprd/);
		const [line] = await run.component.line(/daprd uses the output and has not initialized it.*restart daprd/);
		const before = run.events.length;
		await new Promise((resolve) => setTimeout(resolve, 500));
		expect(run.events.length).toBe(before);
		run.killDaprd();
		await run.startDaprd();
		await run.waitForAccepted(200);
		const summary = await run.verify({ messages: 200, creates: 10, faults: 2 });
		seen(`Invoke: ${refusal.code}; the log: "${/msg="([^"]*)/.exec(line)?.[1]}"; ${summary}`);
	},
);

fault(
	{
		rows: ["F-67", "S-23"],
		injected: "the same with `--state-dir`",
	},
	"with the properties remembered Invoke works again by itself, and the log says what the input needs",
	async ({ seen }) => {
		await using state = await tempFolder();
		const args = ["--state-dir", join(state.path, "state")];
		await using run = await startDaprdRun({ seed: 23, args, properties: ONE_ATTEMPT });
		run.publisher.start(200);
		run.caller.start(2);
		await run.waitForAccepted(100);
		await run.restartComponent();
		const [line] = await run.component.line(/was read before this process started.*restart daprd/);
		const succeeded = () => run.caller.records.filter(({ answer }) => answer === "success").length;
		const before = succeeded();
		await eventually(() => expect(succeeded()).toBeGreaterThan(before + 20), { timeoutMs: 15_000 });
		run.killDaprd();
		await run.startDaprd();
		await run.waitForAccepted(200);
		const summary = await run.verify({ messages: 200, creates: 30, faults: 2 });
		seen(`the log: "${/msg="((?:[^"\\]|\\.)*)/.exec(line)?.[1]}"; ${summary}`);
	},
);
