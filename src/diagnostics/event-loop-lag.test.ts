import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { EventLoopLag } from "./event-loop-lag.js";

beforeEach(() => {
	vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
});
afterEach(() => {
	vi.useRealTimers();
});

it("shows the longest delay for half a minute to a minute", () => {
	let late = 0;
	let now = 0;
	using lag = new EventLoopLag(() => now + late);
	const pass = (looks: number) => {
		for (let look = 0; look < looks; look++) {
			now += 500;
			vi.advanceTimersByTime(500);
		}
	};
	pass(3);
	expect(lag.worstMs).toBe(0);
	late = 10_000;
	pass(1);
	expect(lag.worstMs).toBe(10_000);
	pass(60);
	expect(lag.worstMs).toBe(10_000);
	pass(60);
	expect(lag.worstMs).toBe(0);
});
