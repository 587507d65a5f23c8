import { expect, it } from "vitest";
import { LATENCY_BOUNDS, LatencyHistogram } from "./latency-histogram.js";

it("a call counts in the first bucket whose bound it does not exceed", () => {
	const histogram = new LatencyHistogram();
	for (const ms of [0, 1, 1.1, 100_000, 100_001]) histogram.record(ms);
	const filled = histogram.counts.flatMap((count, index) => (count === 0 ? [] : [[LATENCY_BOUNDS[index], count]]));
	expect(filled).toEqual([
		[1, 2],
		[2, 1],
		[100_000, 1],
		[undefined, 1],
	]);
	expect([histogram.count, histogram.sumMs]).toEqual([5, 200_003.1]);
});

it("has Dapr's 34 bounds", () => {
	expect([LATENCY_BOUNDS.length, LATENCY_BOUNDS[0], LATENCY_BOUNDS.at(-1)]).toEqual([34, 1, 100_000]);
});
