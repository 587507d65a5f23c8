import { afterEach, beforeEach, vi } from "vitest";

/** Sockets work on while time jumps: no step is longer than this. */
const STEP_MS = 500;
/** Turns of the real event loop after each step, so that what a timer wrote is read and answered before the next. */
const TURNS = 8;

/** In this file time is a clock that goes on by itself as usual and that pass() moves forward. */
export function withFastTime(): void {
	beforeEach(() => {
		vi.useFakeTimers({
			toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance"],
			shouldAdvanceTime: true,
		});
	});
	afterEach(() => {
		vi.useRealTimers();
	});
}

/** Lets that much time pass in no time; timers run in their order, and sockets in between. */
export async function pass(ms: number): Promise<void> {
	for (let left = ms; left > 0; left -= STEP_MS) {
		vi.advanceTimersByTime(Math.min(left, STEP_MS));
		for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve));
	}
}
