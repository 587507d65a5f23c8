import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { metric } from "../../integration/sidecar/component.js";
import { eventually } from "../../support/eventually.js";
import { fault } from "../support/fault.js";
import { startFaultRun } from "../support/fault-run.js";
import { chaos } from "./chaos.js";

fault(
	{
		rows: ["F-81", "S-46"],
		injected: "network, broker, app and sidecar fail at random, under load in both directions",
		scale: "one minute instead of a day; npm run soak plays longer ones",
	},
	"everything at random: every invariant holds, and the gauges return to nothing",
	async ({ seen }) => {
		const seed = Date.now() % 1_000_000;
		await using run = await startFaultRun({
			seed,
			fields: { backOffInterval: "200ms", backOffMaxRetries: 3, holdInterval: "1s" },
		});
		// The subscription is saved before the broker may be killed.
		await sleep(3_000);
		run.publisher.start(100);
		run.caller.start(2, 20);
		const played = await chaos(run, 60_000);
		const healedAt = performance.now();
		await run.settle({ liveMs: 45_000 });
		const seconds = Math.round((performance.now() - healedAt) / 1_000);
		for (const gauge of ["publishes_pending", "in_flight", "waiting", "unacknowledged", "held"]) {
			await eventually(async () => expect(await metric(run.sidecar, `mqtt3_binding_${gauge}{`), gauge).toBe(0));
		}
		const summary = await run.verify({ messages: 500, creates: 10, faults: 15 });
		seen(
			`seed ${seed}: all accepted ${seconds} s after the last fault; ${summary}; ${[...played].map(([name, times]) => `${name} ${times}`).join(", ")}`,
		);
	},
	240_000,
);
