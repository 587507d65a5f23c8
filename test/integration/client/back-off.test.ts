import { describe, expect, test, vi } from "vitest";
import { freePort } from "../../support/free-port.js";
import { ClientUnderTest, delayOf, startScene } from "./client-under-test.js";
import { pass, withFastTime } from "./fast-time.js";

withFastTime();

describe("between attempts", () => {
	test("I11: an absent broker is tried at most 16 times in the first minute, at most 8 in any later one, for ever", async () => {
		const port = await freePort();
		await using it = new ClientUnderTest(`mqtt://127.0.0.1:${port}`);
		it.client.connect().catch(() => {});
		const attempts = () => it.states.filter((state) => state === "connecting").length;
		await pass(60_000);
		expect(attempts()).toBeGreaterThanOrEqual(8);
		expect(attempts()).toBeLessThanOrEqual(16);
		for (let minute = 0; minute < 3; minute++) {
			const before = attempts();
			await pass(60_000);
			expect(attempts() - before).toBeGreaterThanOrEqual(1);
			expect(attempts() - before).toBeLessThanOrEqual(8);
		}
		expect(Math.max(...it.reports.map(delayOf))).toBeLessThanOrEqual(30_000);
	});

	test("F-14: a refusal is asked again after 2.5 to 10 s, later after at most 5 min, and never given up", async () => {
		await using scene = await startScene();
		for (let round = 0; round < 9; round++) {
			const connection = await scene.broker.accept();
			await connection.greet({ returnCode: 5 });
			const delayMs = delayOf(await scene.it.reported("connect-refused", round + 1));
			const stepMs = Math.min(10_000 * 2 ** round, 300_000);
			expect(delayMs).toBeGreaterThanOrEqual(stepMs / 4 - 1);
			expect(delayMs).toBeLessThanOrEqual(stepMs);
			await pass(delayMs + 1);
		}
		await scene.online();
	});

	test("a connection that does not last 10 s lets the delays grow; one that does begins them anew", async () => {
		await using scene = await startScene();
		for (let round = 0; round < 6; round++) {
			const connection = await scene.subscribed();
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

test("F-20: connections that come and go leave no timer behind", async () => {
	await using scene = await startScene();
	const timers: number[] = [];
	for (let round = 0; round < 50; round++) {
		const connection = await scene.subscribed({ sessionPresent: round > 0 });
		await scene.it.reported("subscribed", round + 1);
		timers.push(vi.getTimerCount());
		if (round % 2 === 0) connection.close();
		else connection.reset();
		await pass(delayOf(await scene.it.reported("disconnected", round + 1)) + 1);
	}
	expect(timers.at(-1)).toBe(timers[0]);
});
