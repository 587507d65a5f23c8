import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { logged } from "../../integration/sidecar/component.js";
import { fault } from "../support/fault.js";
import { startFaultRun } from "../support/fault-run.js";

fault(
	{
		rows: ["F-02"],
		injected: "mosquitto is stopped (SIGTERM) and started twice under load in both directions, with its data kept",
		scale: "500 messages a second",
	},
	"a broker that goes and comes back with its data: nothing is missing, and create tells the truth",
	async ({ seen }) => {
		await using run = await startFaultRun({ seed: 2 });
		run.publisher.start(500);
		run.caller.start(4);
		for (let restart = 0; restart < 2; restart++) {
			await run.waitForAccepted(run.accepted.size + 300);
			await run.broker.stop();
			run.fault("broker stopped");
			await sleep(500);
			await run.broker.start();
		}
		await run.waitForAccepted(run.accepted.size + 300);
		seen(await run.verify({ messages: 900, creates: 20, faults: 2 }));
		expect(logged(run.sidecar, "session-lost")).toEqual([]);
	},
	90_000,
);

fault(
	{
		rows: ["F-04"],
		injected:
			"mosquitto, which saves every second, is killed (SIGKILL) and started twice under load in both directions",
		scale: "300 messages a second",
	},
	"a broker that is killed: nothing is missing of what it had saved, and create tells the truth",
	async ({ seen }) => {
		await using run = await startFaultRun({ seed: 4 });
		// The subscription is saved before the first death.
		await sleep(3_000);
		run.publisher.start(300);
		run.caller.start(4);
		for (let death = 0; death < 2; death++) {
			await run.waitForAccepted(run.accepted.size + 500);
			await run.killBroker();
			await sleep(300);
			await run.broker.start();
		}
		await run.waitForAccepted(run.accepted.size + 300);
		seen(await run.verify({ messages: 1_000, creates: 20, faults: 2 }));
	},
	90_000,
);
