import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type BreakerSettings, CircuitBreaker } from "./circuit-breaker.js";
import { defaultTrip } from "./trip.js";

beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));
afterEach(() => void vi.useRealTimers());

function breaker(settings: Partial<BreakerSettings> = {}) {
	const made = new CircuitBreaker({
		name: "b",
		maxRequests: 1,
		intervalMs: 0,
		timeoutMs: 1_000,
		trips: defaultTrip,
		...settings,
	});
	const states: string[] = [];
	made.onChange((state) => states.push(state));
	/** One call; whether it was let through. */
	const call = (succeeded: boolean | undefined) => {
		const leave = made.enter();
		leave?.(succeeded);
		return leave !== undefined;
	};
	return { made, call, states };
}

describe("a circuit breaker", () => {
	test("opens at the sixth failure in a row, lets one through after its time, and closes when that succeeds", () => {
		const { made, call, states } = breaker();
		for (let index = 0; index < 5; index++) call(false);
		call(true);
		for (let index = 0; index < 6; index++) expect(call(false)).toBe(true);
		expect(made.state).toBe("open");
		expect(call(true)).toBe(false);
		vi.advanceTimersByTime(999);
		expect(call(true)).toBe(false);
		expect(made.closedToCallsForMs).toBe(1);
		vi.advanceTimersByTime(1);
		expect(call(true)).toBe(true);
		expect(states).toEqual(["open", "half-open", "closed"]);
	});

	test("half-open, a failure opens it again", () => {
		const { call, states } = breaker({ trips: () => true });
		call(false);
		vi.advanceTimersByTime(1_000);
		call(false);
		expect(states).toEqual(["open", "half-open", "open"]);
		expect(call(true)).toBe(false);
	});

	test("half-open, maxRequests at once are let through, and as many successes close it", () => {
		const { made, call } = breaker({ trips: () => true, maxRequests: 2 });
		call(false);
		vi.advanceTimersByTime(1_000);
		const [first, second] = [made.enter(), made.enter()];
		expect(made.enter()).toBeUndefined();
		first?.(true);
		expect(made.state).toBe("half-open");
		second?.(true);
		expect(made.state).toBe("closed");
	});

	test("what says neither counts for nothing, and makes room for another", () => {
		const { made, call } = breaker({ trips: ({ requests }) => requests > 1 });
		call(undefined);
		call(false);
		expect(made.state).toBe("closed");
		call(false);
		vi.advanceTimersByTime(1_000);
		call(undefined);
		expect(made.state).toBe("half-open");
		expect(call(true)).toBe(true);
	});

	test("the end of a call of an earlier state changes nothing", () => {
		const { made, call } = breaker({ trips: () => true });
		const late = made.enter();
		call(false);
		vi.advanceTimersByTime(1_000);
		expect(made.state).toBe("half-open");
		late?.(true);
		expect(made.state).toBe("half-open");
	});

	test("closed, the counts begin anew every interval", () => {
		const { made, call } = breaker({ intervalMs: 100 });
		for (let index = 0; index < 5; index++) call(false);
		vi.advanceTimersByTime(100);
		for (let index = 0; index < 5; index++) call(false);
		expect(made.state).toBe("closed");
		call(false);
		expect(made.state).toBe("open");
	});
});
