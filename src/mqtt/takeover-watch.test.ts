import { describe, expect, it } from "vitest";
import { TakeoverWatch } from "./takeover-watch.js";

/** Healthy connections that the broker ends, each taken back at once, at these times. */
function fight(watch: TakeoverWatch, ...times: readonly number[]): readonly boolean[] {
	return times.map((at) => {
		watch.ended(true);
		return watch.accepted(at);
	});
}

describe("another client with our identifier", () => {
	it("is seen when healthy connections end and are taken back at once three times within a minute", () => {
		const watch = new TakeoverWatch();
		watch.accepted(0);
		expect(fight(watch, 1_000, 2_000, 60_000, 61_000)).toEqual([false, false, true, false]);
		expect(watch.isOn).toBe(true);
	});

	it("is not seen where that takes longer", () => {
		const watch = new TakeoverWatch();
		expect(fight(watch, 1_000, 40_000, 61_001)).toEqual([false, false, false]);
		expect(watch.isOn).toBe(false);
	});

	it.each([
		["the connection was not healthy", false],
		["an attempt failed in between", true],
	])("is not seen where %s", (_, isHealthy) => {
		const watch = new TakeoverWatch();
		for (let at = 1_000; at < 10_000; at += 1_000) {
			watch.ended(isHealthy);
			if (isHealthy) watch.failed();
			expect(watch.accepted(at)).toBe(false);
		}
	});

	it("is over when a connection has lasted a minute, and can be seen again", () => {
		const watch = new TakeoverWatch();
		fight(watch, 1_000, 2_000, 3_000);
		expect([watch.look(62_999), watch.isOn, watch.look(63_000), watch.isOn, watch.look(64_000)]).toEqual([
			false,
			true,
			true,
			false,
			false,
		]);
		expect(fight(watch, 70_000, 71_000, 72_000)).toEqual([false, false, true]);
	});

	it("is not over while nothing is connected", () => {
		const watch = new TakeoverWatch();
		fight(watch, 1_000, 2_000, 3_000);
		watch.ended(true);
		expect(watch.look(600_000)).toBe(false);
	});
});
