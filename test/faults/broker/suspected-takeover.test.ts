import { expect } from "vitest";
import { delayOf, type Scene, startScene } from "../../integration/client/client-under-test.js";
import { pass, withFastTime } from "../../integration/client/fast-time.js";
import type { ScriptedConnection } from "../../support/scripted-broker.js";
import { fault } from "../support/fault.js";

withFastTime();

/** Ends a connection and lets the time to the next attempt pass; returns that time. */
async function end(scene: Scene, connection: ScriptedConnection, count: number): Promise<number> {
	connection.close();
	const delayMs = delayOf(await scene.it.reported("disconnected", count));
	await pass(delayMs + 1);
	return delayMs;
}

fault(
	{
		rows: ["F-18", "S-18"],
		injected: "the broker ends a healthy connection six times and takes us back at once each time; then nobody does",
		scale: "an injected clock",
	},
	"healthy connections that end and are taken back at once: said once, shown, and left slower and slower",
	async ({ seen }) => {
		await using scene = await startScene();
		const delays: number[] = [];
		for (let round = 1; round <= 6; round++) delays.push(await end(scene, await scene.subscribed(), round));
		const last = await scene.subscribed();
		expect(scene.it.client.status().takenOver).toBe(true);
		const told = scene.it.reports.filter(({ code }) => code === "taken-over");
		expect(told).toHaveLength(1);
		expect(told[0]!.message).toContain('"client-under-test"');
		// From the fourth on: 10, 20, 40 s, each drawn between a quarter of it and all of it.
		for (const [index, stepMs] of [10_000, 20_000, 40_000].entries()) {
			expect(delays[index + 3]!).toBeGreaterThanOrEqual(stepMs / 4 - 1);
			expect(delays[index + 3]!).toBeLessThanOrEqual(stepMs);
		}
		await pass(61_000);
		expect(scene.it.client.status().takenOver).toBe(false);
		await scene.it.reported("taken-over-no-more");
		last.close();
		expect(delayOf(await scene.it.reported("disconnected", 7))).toBeLessThanOrEqual(250);
		seen(`waits in ms: ${delays.join(", ")}; over a minute after the last one`);
	},
);

fault(
	{
		rows: ["F-18"],
		injected: "the broker ends four connections, each time with a publish of ours unanswered",
		scale: "an injected clock",
	},
	"another client is not suspected where a publish of ours was unanswered each time",
	async ({ seen }) => {
		await using scene = await startScene({ publishTimeoutMs: 600_000 });
		for (let round = 1; round <= 4; round++) {
			const connection = await scene.subscribed();
			void scene.it.publish(`m${round}`);
			await connection.expect("publish");
			await end(scene, connection, round);
		}
		expect(scene.it.client.status().takenOver).toBe(false);
		seen("four losses, no suspicion");
	},
);
