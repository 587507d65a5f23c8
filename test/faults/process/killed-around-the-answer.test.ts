import { expect } from "vitest";
import { eventually } from "../../support/eventually.js";
import { fault } from "../support/fault.js";
import { type FaultRun, startFaultRun } from "../support/fault-run.js";
import { patchedBuild } from "../support/patched-build.js";
import { CRASH_PATCHES } from "./crash-points.js";

/** When the sidecar dies, and how often the app is called in all. */
const DEATHS: readonly (readonly [when: string, calls: readonly number[], die: (run: FaultRun) => Promise<void>])[] = [
	[
		"before the app is called",
		[1, 2],
		async (run) => {
			const killed = run.proxy.on("from server", "publish", 1, { after: () => run.killSidecar() });
			run.publisher.burst(1);
			await killed;
		},
	],
	[
		"while the app works",
		[2],
		async (run) => {
			run.publisher.burst(1);
			await run.waitForCalls(1);
			run.killSidecar();
		},
	],
	[
		"after the app's 2xx and before the PUBACK",
		[2],
		async (run) => {
			run.expectEnd("crash point armed");
			run.sidecar.signal("SIGWINCH");
			run.publisher.burst(1);
		},
	],
];

fault(
	{ rows: ["S-1", "F-70"], injected: `kill -9 ${DEATHS.map(([when]) => when).join("; ")}` },
	"killed around the app's answer: nothing is acknowledged, and it comes again once, marked",
	async ({ seen }) => {
		await using build = await patchedBuild(CRASH_PATCHES);
		for (const [when, calls, die] of DEATHS) {
			await using run = await startFaultRun({ seed: 1, app: { delayMs: 200 }, sidecar: { main: build.main } });
			await die(run);
			await eventually(() => run.lives === 2);
			await eventually(() => expect(run.proxy.history.filter(({ event }) => event === "closed")).toHaveLength(1));
			const acknowledged = () =>
				run.proxy.history.filter(
					(event) => event.event === "packet" && event.packet.type === "puback" && event.direction === "from client",
				);
			// The second life may have connected by now; the first has acknowledged nothing.
			expect(acknowledged().filter(({ epoch }) => epoch === 1)).toEqual([]);
			await eventually(() => expect(acknowledged()).toHaveLength(1), { timeoutMs: 10_000 });
			const requests = run.app.requests();
			expect(calls, when).toContain(requests.length);
			expect(requests.at(-1)!.headers, when).toMatchObject({ duplicate: "true" });
			seen(`${when}: ${requests.length} calls, the last marked; ${await run.verify({ messages: 2 })}`);
		}
	},
	60_000,
);
