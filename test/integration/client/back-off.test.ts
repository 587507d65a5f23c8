import { describe, expect, test } from "vitest";
import { delayOf, startScene } from "./client-under-test.js";
import { pass, withFastTime } from "./fast-time.js";

withFastTime();

describe("between attempts", () => {
	test("a connection that does not last 10 s lets the delays grow; one that does begins them anew", async () => {
		await using scene = await startScene();
		for (let round = 0; round < 6; round++) {
			// With SUBSCRIBE unanswered: the end of a healthy connection each time would look like another client with our identifier.
			const connection = await scene.online();
			await connection.expect("subscribe");
			connection.close();
			const delayMs = delayOf(await scene.it.reported("disconnected", round + 1));
			const stepMs = 250 * 2 ** round;
			expect(delayMs).toBeGreaterThanOrEqual(stepMs / 4 - 1);
			expect(delayMs).toBeLessThanOrEqual(stepMs);
			await pass(delayMs + 1);
		}
		const lasting = await scene.subscribed();
		await pass(10_000);
		lasting.close();
		expect(delayOf(await scene.it.reported("disconnected", 7))).toBeLessThanOrEqual(250);
		await scene.subscribed();
	});
});
