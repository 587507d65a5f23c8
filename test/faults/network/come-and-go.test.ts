import { expect, vi } from "vitest";
import { delayOf, startScene } from "../../integration/client/client-under-test.js";
import { pass, withFastTime } from "../../integration/client/fast-time.js";
import { fault } from "../support/fault.js";

withFastTime();

fault(
	{
		rows: ["F-20"],
		injected: "50 connections that end by FIN and by reset in turn, in one client",
		scale: "50 cycles of an injected clock",
	},
	"connections that come and go leave no timer behind",
	async ({ seen }) => {
		await using scene = await startScene();
		const timers: number[] = [];
		for (let round = 0; round < 50; round++) {
			const connection = await scene.subscribed();
			await scene.it.reported("subscribed", round + 1);
			timers.push(vi.getTimerCount());
			if (round % 2 === 0) connection.close();
			else connection.reset();
			await pass(delayOf(await scene.it.reported("disconnected", round + 1)) + 1);
		}
		expect(timers.at(-1)).toBe(timers[0]);
		seen(`${timers[0]} timers in the first connection, ${timers.at(-1)} in the fiftieth`);
	},
);
