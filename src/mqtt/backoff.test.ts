import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Backoff, type BackoffOptions, RECONNECT_BACKOFF, SLOW_BACKOFF } from "./backoff.js";

const minuteMs = 60_000;
const draw = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const options = fc
	.record({
		firstMs: fc.integer({ min: 1, max: 20_000 }),
		growth: fc.integer({ min: 0, max: 600_000 }),
		factor: fc.double({ min: 1, max: 10, noNaN: true }),
	})
	.map(({ firstMs, growth, factor }): BackoffOptions => ({ firstMs, maxMs: firstMs + growth, factor }));

function delays(options: BackoffOptions, draws: readonly number[]): number[] {
	let index = 0;
	const backoff = new Backoff({ ...options, random: () => draws[index++]! });
	return draws.map(() => backoff.next());
}

describe("P13", () => {
	test("the steps never shrink and never pass the maximum", () => {
		fc.assert(
			fc.property(options, fc.integer({ min: 1, max: 60 }), (options, length) => {
				const nearlyOne = new Array<number>(length).fill(1 - Number.EPSILON);
				const envelope = delays(options, nearlyOne);
				for (const [index, stepMs] of envelope.entries()) {
					expect(stepMs).toBeGreaterThanOrEqual(envelope[index - 1] ?? 0);
					expect(stepMs).toBeLessThanOrEqual(options.maxMs);
				}
			}),
		);
	});

	test("each delay lies between a quarter of its step and the step", () => {
		fc.assert(
			fc.property(options, fc.array(draw, { minLength: 1, maxLength: 60 }), (options, draws) => {
				let stepMs = options.firstMs;
				for (const delayMs of delays(options, draws)) {
					expect(delayMs).toBeGreaterThanOrEqual(stepMs / 4);
					expect(delayMs).toBeLessThanOrEqual(stepMs);
					stepMs = Math.min(stepMs * options.factor!, options.maxMs);
				}
			}),
		);
	});

	test("I11: however the lot falls, 16 attempts at most in the first minute and 8 in any later one", () => {
		const unlucky = fc.oneof(fc.constant(0), fc.double({ min: 0, max: 0.05, noNaN: true }), draw);
		fc.assert(
			fc.property(fc.array(unlucky, { minLength: 60, maxLength: 60 }), (draws) => {
				const attempts = [0];
				for (const delayMs of delays(RECONNECT_BACKOFF, draws)) attempts.push(attempts.at(-1)! + delayMs);
				const within = (fromMs: number) => attempts.filter((at) => at >= fromMs && at < fromMs + minuteMs).length;
				expect(within(0)).toBeLessThanOrEqual(16);
				for (const at of attempts.filter((at) => at >= minuteMs)) expect(within(at)).toBeLessThanOrEqual(8);
			}),
		);
	});
});

test("the reconnect steps go from 250 ms to 30 s, the slow ones from 10 s to 5 min", () => {
	const steps = (options: BackoffOptions) => delays(options, new Array<number>(9).fill(1));
	expect(steps(RECONNECT_BACKOFF)).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
	expect(steps(SLOW_BACKOFF).slice(0, 7)).toEqual([10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000]);
});

test("after a reset the first step comes again", () => {
	const backoff = new Backoff({ firstMs: 100, maxMs: 1_000, random: () => 0 });
	expect([backoff.next(), backoff.next()]).toEqual([25, 50]);
	backoff.reset();
	expect(backoff.next()).toBe(25);
});

test("500 clients that lost one broker spread over the whole window", () => {
	const first = Array.from({ length: 500 }, () => new Backoff(RECONNECT_BACKOFF).next());
	for (let tenth = 0; tenth < 10; tenth++) {
		const from = 62.5 + tenth * 18.75;
		expect(first.filter((delayMs) => delayMs >= from && delayMs < from + 18.75).length).toBeLessThan(100);
	}
});
