import { describe, expect, test } from "vitest";
import { startFaultRun } from "../support/fault-run.js";
import { patchedBuild } from "../support/patched-build.js";
import { SEEDED_BUGS, type SeededBug } from "./seeded-bugs.js";

/** The checker is worth something only if it catches what is wrong, and says nothing of what is right. */
describe("builds with seeded bugs", () => {
	for (const bug of SEEDED_BUGS) {
		test(`the checker catches a build that ${bug.name}, and passes the honest one in the same scenario`, async () => {
			await using build = await patchedBuild(bug.replacements);
			const [found, honest] = await Promise.all([play(bug, build.main), play(bug)]);
			expect(honest).toEqual([]);
			const broken = new Set(found.map((line) => line.slice(0, line.indexOf(":"))));
			expect(
				bug.breaks.filter((invariant) => broken.has(invariant)),
				found.join("\n"),
			).not.toEqual([]);
		}, 60_000);
	}

	test("a patch that does not fit is refused", async () => {
		const replacement = { file: "mqtt/inbound.js", from: "no such line", to: "" };
		await expect(patchedBuild([replacement])).rejects.toThrow("0 times");
	});
});

/** What the checker says of a run. */
async function play({ options, provoke, liveMs, messages }: SeededBug, main?: string): Promise<string[]> {
	await using run = await startFaultRun({ ...options, seed: 1, ...(main !== undefined && { sidecar: { main } }) });
	await provoke(run);
	const { violations } = await run.finish({ messages }, { liveMs: main === undefined ? 20_000 : liveMs });
	return violations.map(({ invariant, message }) => `${invariant}: ${message}`);
}
