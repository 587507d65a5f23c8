import { eventually } from "../../support/eventually.js";
import { fault } from "../support/fault.js";
import { startFaultRun } from "../support/fault-run.js";
import { between } from "../support/seeded-random.js";

fault(
	{
		rows: ["F-07"],
		injected: "the connection to the broker is reset again and again under load in both directions",
		scale:
			"two rounds of five resets, each 0.5 to 3 s after messages flow again, instead of an hour of them every 1 to 4 s",
	},
	"resets under load: nothing is lost, and what comes twice was in flight",
	async ({ seen }) => {
		await using run = await startFaultRun({ seed: Date.now() % 1_000_000 });
		run.publisher.start(200);
		run.caller.start(4);
		for (let round = 0; round < 2; round++) {
			// Once online for 10 s the back-off begins anew.
			if (round > 0) await pause(11_000);
			for (let cut = 0; cut < 5; cut++) {
				const { size } = run.accepted;
				await eventually(() => run.accepted.size > size, { timeoutMs: 20_000, everyMs: 50 });
				await pause(between(run.random, 500, 3_000));
				run.proxy.reset();
			}
		}
		seen(await run.verify({ messages: 2_000, creates: 100, faults: 10 }));
	},
	120_000,
);

function pause(ms: number): Promise<void> {
	return new Promise((resolve) => setTimeout(resolve, ms));
}
