import { expect } from "vitest";
import { earlierBuild } from "../support/earlier-build.js";
import { fault } from "../support/fault.js";
import { startFaultRun } from "../support/fault-run.js";

fault(
	{
		rows: ["F-80"],
		injected:
			"under load in both directions an earlier build is replaced by this one, and that by the earlier one again: the new one starts, the old one gets SIGTERM",
	},
	"a rolling upgrade and back: the session passes from one to the other, and nothing is lost (I18)",
	async ({ seen }) => {
		await using build = await earlierBuild();
		await using run = await startFaultRun({ seed: 80, sidecar: { main: build.main } });
		run.publisher.start(100);
		run.caller.start(2, 20);
		for (const options of [{}, { main: build.main }, {}]) {
			await run.waitForAccepted(run.accepted.size + 100);
			await run.replaceSidecar(options);
		}
		await run.waitForAccepted(run.accepted.size + 100);
		const summary = await run.verify({ messages: 400, creates: 20, faults: 3 });
		const lost = run.proxy.history.filter(
			(event) => event.event === "packet" && event.packet.type === "connack" && event.packet.sessionPresent === false,
		);
		expect(lost, "sessions that were not resumed").toHaveLength(1);
		const connections = run.proxy.history.filter(({ event }) => event === "opened").length;
		seen(`from and to ${build.commit}: ${connections} connections for four lives; ${summary}`);
	},
	120_000,
);
