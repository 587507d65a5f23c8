import { execFileSync } from "node:child_process";
import { cpus } from "node:os";
import type { SoakResult } from "./soak.js";
import { SOAK_FAULTS } from "./soak-faults.js";

/** What a run showed, as Markdown. */
export function soakReport(result: SoakResult): string {
	const { minutes, seed, input, output, disruptions, longestRecovery, violations, samples } = result;
	const memory = samples.list.map(({ memoryMiB }) => memoryMiB).filter(Number.isFinite);
	const descriptors = samples.list.map((sample) => sample.descriptors).filter(Number.isFinite);
	const { "not sent": notSent, "outcome unknown": unknown, "no answer": unanswered, success } = output.answers;
	const faults = SOAK_FAULTS.map(({ name, victim }) => {
		const ones = disruptions.list.filter(({ kind }) => kind === name);
		const longest = Math.max(0, ...ones.map(({ beganAt, endedAt }) => endedAt - beganAt));
		const copies = ones.reduce((sum, { duplicates }) => sum + duplicates, 0);
		return `| ${victim} | ${name} | ${ones.length} | ${(longest / 1_000).toFixed(1)} s | ${copies} |`;
	});
	return `# Soak

Written by \`npm run soak -- --minutes ${minutes} --seed ${seed} --out docs\`, ${new Date().toISOString().slice(0, 10)},
commit ${commit()}, Node ${process.version}, ${cpus().length} processors (other programs ran beside it).

mosquitto ← fault proxy ← sidecar → app, each a process of its own. Unique numbered messages go both ways: a publisher's reach the app, those of
\`create\` reach a subscriber. Meanwhile the broker, the app, the sidecar and the network are hurt at random, one after the other and sometimes two at
once. Each message is followed over the publisher, the wire, the app's own file and the subscriber, and every acknowledgement is checked on the way.

**${violations.count === 0 ? "Passed" : "FAILED"}: ${result.lost} lost, ${violations.count} broken promises.**

![Memory, in flight and throughput over the run, with the faults](soak.svg)

| | |
| --- | --- |
| lasted | ${Math.round(result.seconds)} s |
| faults | ${disruptions.count} |
| messages that the app accepted | ${input.accepted} |
| attempts that it refused | ${input.refused} |
| accepted a second time, each after a cut / in flight at all cuts together (I13) | ${input.duplicates} / ${input.atRisk} |
| PUBACKs of ours that were checked (I2 to I5) | ${input.acknowledged} |
| \`create\`: success / not sent / outcome unknown / cut off with the sidecar | ${success} / ${notSent} / ${unknown} / ${unanswered} |
| successes that the subscriber got (I6) | ${success - output.waiting} |
| lost with mosquitto's unsaved state, killed less than 5 s later: to the app / from \`create\` | ${input.lostByBroker} / ${output.lostByBroker} |
| longest time until messages flowed both ways again, all being whole (I9) | ${(longestRecovery.ms / 1_000).toFixed(1)} s (${longestRecovery.fault}) |
| resident memory of the sidecar, largest / at the end | ${Math.max(...memory).toFixed(0)} / ${memory.at(-1)?.toFixed(0)} MiB |
| file descriptors of the sidecar, most / at the end | ${Math.max(...descriptors)} / ${descriptors.at(-1)} |

| victim | fault | times | longest, with recovery | accepted a second time |
| --- | --- | --- | --- | --- |
${faults.join("\n")}
${violations.first.map((what) => `\n- ${what}`).join("")}`
		.trimEnd()
		.concat("\n");
}

function commit(): string {
	const [head, changed] = [
		["rev-parse", "--short", "HEAD"],
		["status", "--porcelain", "src"],
	].map((args) => execFileSync("git", args, { encoding: "utf8" }).trim());
	return changed === "" ? head! : `${head} with changes`;
}
