import { expect, test } from "vitest";
import { patchedBuild } from "../support/patched-build.js";
import { startWatchedLine } from "../support/watched-line.js";
import { SEEDED_BUGS } from "./seeded-bugs.js";

/** Messages through a line that is disposed then. */
async function play(main?: string): Promise<void> {
	await using line = await startWatchedLine({
		app: { delayMs: 100 },
		...(main !== undefined && { sidecar: { main } }),
	});
	await line.device.publishAll(10, (index) => ({ topic: "in/a", payload: String(index) }));
	await line.app.acceptedAtLeast(10);
}

test("a watched line says nothing of a good build, and fails at its end with one that acknowledges before the app accepted", async () => {
	const early = SEEDED_BUGS.find(({ name }) => name === "acknowledges before the app accepted");
	await using build = await patchedBuild(early!.replacements);
	await play();
	await expect(play(build.main)).rejects.toThrow(/I2: "\d" was acknowledged before the app accepted it/);
});
