import { describe, expect, it } from "vitest";
import { WindowEstimate } from "./window-estimate.js";

/** Silence, an acknowledgement with `outstanding` messages open, and the next message `afterMs` later, `times` in a row. */
function play(estimate: WindowEstimate, outstanding: number, afterMs: number, times: number, from = 0): void {
	let now = from;
	for (let round = 0; round < times; round++) {
		now += 1_000;
		estimate.acknowledged(outstanding, now);
		now += afterMs;
		estimate.arrived(now);
	}
}

describe("the estimate of the broker's window", () => {
	it("is what was outstanding when an acknowledgement brought the next message at once, three times in a row", () => {
		const estimate = new WindowEstimate();
		play(estimate, 10, 1, 2);
		expect(estimate.window).toBeUndefined();
		play(estimate, 10, 1, 1, 10_000);
		expect(estimate.window).toBe(10);
	});

	it("is not taken from messages that come in their own time", () => {
		const estimate = new WindowEstimate();
		play(estimate, 1, 400, 50);
		expect(estimate.window).toBeUndefined();
	});

	it("is not taken from a stream that flows", () => {
		const estimate = new WindowEstimate();
		for (let now = 0; now < 5_000; now += 5) {
			estimate.arrived(now);
			estimate.acknowledged(7, now + 1);
		}
		expect(estimate.window).toBeUndefined();
	});

	it("begins anew when an acknowledgement brought nothing, or another number was outstanding", () => {
		const estimate = new WindowEstimate();
		play(estimate, 5, 1, 2);
		play(estimate, 5, 400, 1, 10_000);
		play(estimate, 5, 1, 2, 20_000);
		expect(estimate.window).toBeUndefined();
		play(estimate, 6, 1, 2, 30_000);
		expect(estimate.window).toBeUndefined();
		play(estimate, 6, 1, 1, 40_000);
		expect(estimate.window).toBe(6);
	});
});
