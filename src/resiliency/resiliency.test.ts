import { describe, expect, test } from "vitest";
import { defaultNames, NO_RESILIENCY, Resiliency, type ResiliencySettings } from "./resiliency.js";
import { isInRanges, type RetrySettings, retryDelays } from "./retry-delays.js";
import { defaultTrip, readTrip } from "./trip.js";

const NONE = { requests: 0, totalSuccesses: 0, totalFailures: 0, consecutiveSuccesses: 0, consecutiveFailures: 0 };

function retry(settings: Partial<RetrySettings> = {}): RetrySettings {
	return { name: "r", policy: "constant", durationMs: 5, maxIntervalMs: 60_000, maxRetries: 3, ...settings };
}

function settings(changes: Partial<ResiliencySettings>): ResiliencySettings {
	const breaker = { name: "cb", maxRequests: 1, intervalMs: 0, timeoutMs: 1, trips: defaultTrip };
	return {
		...NO_RESILIENCY,
		timeouts: new Map([["t", 7]]),
		retries: new Map([["r", retry()]]),
		circuitBreakers: new Map([["cb", breaker]]),
		...changes,
	};
}

describe("which policies hold", () => {
	test("those that the target names, for its direction alone; the breaker is one for both", () => {
		const names = { timeout: "t", retry: "r", circuitBreaker: "cb" };
		const components = new Map([
			["both", { inbound: names, outbound: { circuitBreaker: "cb" } }],
			["other", { inbound: names }],
		]);
		const resiliency = new Resiliency(settings({ components }));
		const inbound = resiliency.policyFor("both", "inbound");
		expect(inbound?.parts).toMatchObject({ timeout: { name: "t", ms: 7 }, retry: { name: "r" } });
		expect(resiliency.policyFor("both", "inbound")).toBe(inbound);
		expect(resiliency.policyFor("both", "outbound")?.parts.breaker).toBe(inbound?.parts.breaker);
		expect(resiliency.policyFor("other", "inbound")?.parts.breaker).not.toBe(inbound?.parts.breaker);
		expect(resiliency.policyFor("other", "outbound")).toBeUndefined();
		expect(resiliency.policyFor("third", "inbound")).toBeUndefined();
		expect(resiliency.breakersOf("both")).toHaveLength(1);
	});

	test("where a component is no target, those with a default name, the most specific one", () => {
		expect(defaultNames("outbound", "Retry")).toEqual([
			"DefaultBindingComponentOutboundRetryPolicy",
			"DefaultComponentOutboundRetryPolicy",
			"DefaultComponentRetryPolicy",
			"DefaultRetryPolicy",
		]);
		const retries = new Map([
			["DefaultRetryPolicy", retry({ name: "all" })],
			["DefaultComponentInboundRetryPolicy", retry({ name: "in" })],
		]);
		const components = new Map([["target", {}]]);
		const resiliency = new Resiliency(settings({ retries, components }));
		expect(resiliency.policyFor("a", "inbound")?.parts.retry?.name).toBe("in");
		expect(resiliency.policyFor("a", "outbound")?.parts.retry?.name).toBe("all");
		expect(resiliency.policyFor("target", "inbound")).toBeUndefined();
	});

	test("names that lead nowhere, and a retry without retries, are none", () => {
		const components = new Map([["a", { inbound: { timeout: "x", retry: "never" } }]]);
		const retries = new Map([["never", retry({ maxRetries: 0 })]]);
		expect(new Resiliency(settings({ components, retries })).policyFor("a", "inbound")).toBeUndefined();
	});
});

describe("the pauses between attempts", () => {
	test("constant", () => {
		expect([...retryDelays(retry())]).toEqual([5, 5, 5]);
	});

	test("exponential: from half a second on, half as much again each time, jittered by half, up to the longest", () => {
		const delays = [...retryDelays(retry({ policy: "exponential", maxRetries: 20, maxIntervalMs: 2_000 }))];
		const steps = [500, 750, 1_125, 1_687.5, 2_000, 2_000];
		for (const [index, step] of steps.entries()) {
			expect(delays[index]).toBeGreaterThanOrEqual(step / 2);
			expect(delays[index]).toBeLessThanOrEqual(step * 1.5);
		}
		expect(new Set(delays).size).toBeGreaterThan(10);
	});

	test("-1 never ends", () => {
		const delays = retryDelays(retry({ maxRetries: -1 }));
		for (let index = 0; index < 1_000; index++) expect(delays.next().done).toBe(false);
	});

	test("ranges hold their ends", () => {
		expect(
			[428, 429, 430, 500, 550, 599, 600].map((status) =>
				isInRanges(
					[
						[429, 429],
						[500, 599],
					],
					status,
				),
			),
		).toEqual([false, true, false, true, true, true, false]);
	});
});

describe("a trip condition", () => {
	test("is CEL over the counts", async () => {
		const trips = await readTrip("consecutiveFailures >= 2 || (requests > 3 && totalFailures * 100 / requests >= 60)");
		expect(trips({ ...NONE, consecutiveFailures: 2 })).toBe(true);
		expect(trips({ ...NONE, requests: 5, totalFailures: 3 })).toBe(true);
		expect(trips({ ...NONE, requests: 5, totalFailures: 2 })).toBe(false);
		expect(defaultTrip({ ...NONE, consecutiveFailures: 5 })).toBe(false);
		expect(defaultTrip({ ...NONE, consecutiveFailures: 6 })).toBe(true);
	});

	test("that divides by zero is not met", async () => {
		expect((await readTrip("totalFailures / requests > 0"))(NONE)).toBe(false);
	});

	test.each([
		["consecutiveFailurs > 5", /Unknown variable: consecutiveFailurs/],
		["requests >", /Unexpected token/],
		["requests + 1", /its result is int, expected a condition/],
	])("%s is refused in one line", async (text, message) => {
		await expect(readTrip(text)).rejects.toThrow(message);
		const error = await readTrip(text).catch((reason: Error) => reason.message);
		expect(error).not.toContain("\n");
	});
});
