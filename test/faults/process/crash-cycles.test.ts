import { expect } from "vitest";
import { eventually } from "../../support/eventually.js";
import { missedWait } from "../../support/missed-wait.js";
import { fault } from "../support/fault.js";
import { startFaultRun } from "../support/fault-run.js";
import { patchedBuild } from "../support/patched-build.js";
import { between } from "../support/seeded-random.js";
import { CRASH_PATCHES, CRASH_POINTS, crashAt } from "./crash-points.js";

const CYCLES = 200;
const INSTALLATIONS = 4;

fault(
	{
		rows: ["F-70"],
		injected: "kill -9 of the sidecar at C1 to C9, cycle after cycle, under load in both directions",
		scale: `${CYCLES} cycles over ${INSTALLATIONS} installations at once, instead of 10,000`,
	},
	"kill -9 wherever it hurts: nothing is lost, and what comes twice was in flight",
	async ({ seen }) => {
		await using build = await patchedBuild(CRASH_PATCHES);
		const seed = Date.now() % 1_000_000;
		const reached = new Map<string, number>();
		const play = async (index: number): Promise<string> => {
			await using run = await startFaultRun({ seed: seed + index, sidecar: { main: build.main } });
			run.publisher.start(25);
			run.caller.start(1, 50);
			for (let cycle = 0; cycle < CYCLES / INSTALLATIONS; cycle++) {
				// It works again: the life before has left nothing that stops it.
				const puback = run.proxy.on("from client", "puback", 1, {});
				const works = await Promise.race([puback.then(() => true), pause(15_000)]);
				const where = `seed ${seed + index}, cycle ${cycle}`;
				if (!works) throw missedWait(new Error(`${where}: no PUBACK within 15 s of the start`));
				const point = CRASH_POINTS[between(run.random, 0, CRASH_POINTS.length - 1)]!;
				if (await crashAt(run, point)) reached.set(point.moment, (reached.get(point.moment) ?? 0) + 1);
			}
			await eventually(() => run.sidecar.running);
			return await run.verify({ messages: 300, creates: 20, faults: CYCLES / INSTALLATIONS });
		};
		const summaries = await Promise.all(Array.from({ length: INSTALLATIONS }, (_, index) => play(index)));
		const count = [...reached.values()].reduce((sum, one) => sum + one, 0);
		expect(count, "cycles that died at their point").toBeGreaterThan(CYCLES * 0.9);
		expect([...reached.keys()].sort(), "points reached").toEqual(CRASH_POINTS.map(({ moment }) => moment).sort());
		const points = [...reached].map(([moment, times]) => `${moment} ${times}`).join(", ");
		seen(`${count} of ${CYCLES} cycles died at their point (${points}); ${summaries.join("; ")}`);
	},
	300_000,
);

function pause(ms: number): Promise<false> {
	return new Promise((resolve) => setTimeout(() => resolve(false), ms));
}
