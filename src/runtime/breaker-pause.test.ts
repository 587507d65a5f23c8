import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { CircuitBreaker } from "../resiliency/circuit-breaker.js";
import { breakerPause } from "./breaker-pause.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
	vi.useRealTimers();
	vi.restoreAllMocks();
});

function pausedBinding(breaker: CircuitBreaker, mayResume = () => true) {
	const calls: string[] = [];
	const binding = { pause: () => void calls.push("pause"), resume: () => void calls.push("resume") };
	const onHeldBack = breakerPause(binding, mayResume);
	return { calls, heldBack: () => onHeldBack(breaker) };
}

function openBreaker(): CircuitBreaker {
	const settings = { name: "b", maxRequests: 1, intervalMs: 0, timeoutMs: 1_000, trips: () => true };
	const breaker = new CircuitBreaker(settings);
	breaker.enter()?.(false);
	return breaker;
}

it("goes on when the breaker may let something through, once for all that it held back", () => {
	const { calls, heldBack } = pausedBinding(openBreaker());
	heldBack();
	heldBack();
	vi.advanceTimersByTime(999);
	expect(calls).toEqual(["pause", "pause"]);
	vi.advanceTimersByTime(1);
	expect(calls).toEqual(["pause", "pause", "resume"]);
});

it("goes on when the breaker has closed", () => {
	const breaker = openBreaker();
	vi.advanceTimersByTime(1_000);
	const probe = breaker.enter();
	const { calls, heldBack } = pausedBinding(breaker);
	heldBack();
	probe?.(true);
	expect(calls).toEqual(["pause", "resume"]);
});

it("leaves a binding paused that waits for the app as well", () => {
	const { calls, heldBack } = pausedBinding(openBreaker(), () => false);
	heldBack();
	vi.advanceTimersByTime(5_000);
	expect(calls).toEqual(["pause"]);
});

it("goes on also when the breaker's time is over just while it is looked at", () => {
	const breaker = openBreaker();
	const { calls, heldBack } = pausedBinding(breaker);
	let now = performance.now() + 999.9;
	vi.spyOn(performance, "now").mockImplementation(() => {
		now += 0.06;
		return now;
	});
	for (let index = 0; index < 3; index++) {
		if (breaker.enter() === undefined) heldBack();
		vi.runAllTimers();
	}
	expect(calls.at(-1)).toBe("resume");
	expect(calls.filter((call) => call === "resume").length).toBeGreaterThan(0);
});
