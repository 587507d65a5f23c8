import { expect } from "vitest";
import { fault } from "../support/fault.js";
import { startFaultRun } from "../support/fault-run.js";

fault(
	{
		rows: ["F-72"],
		injected:
			"the sidecar is stopped by SIGSTOP with messages at the app and others waiting, until the broker has given it up, and goes on by SIGCONT",
		scale: "some seconds with a keep-alive of 2 s, instead of 120 s",
	},
	"suspended and resumed: no acknowledgement of before is sent, and everything is delivered",
	async ({ seen }) => {
		await using run = await startFaultRun({ seed: 72, app: { delayMs: 500 }, fields: { maxInFlight: 5 } });
		run.publisher.burst(60);
		run.caller.start(2);
		await run.waitForCalls(5);
		const startedAt = performance.now();
		await run.freezeSidecar(run.broker.line(/Client sidecar-orders has exceeded timeout, disconnecting/));
		const seconds = Math.round((performance.now() - startedAt) / 1_000);
		run.publisher.burst(20);
		const summary = await run.verify({ messages: 80, creates: 5 });
		const connections = run.proxy.history.filter(({ event }) => event === "opened").length;
		expect(connections).toBeGreaterThanOrEqual(2);
		seen(`the broker gave it up after ${seconds} s; ${connections} connections; ${summary}`);
	},
	60_000,
);
