import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Alarm } from "./alarm.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const soon = (ms: number) => performance.now() + ms;

it("rings once, at the earliest of the times asked for", () => {
	const ring = vi.fn();
	const alarm = new Alarm(ring);
	for (const ms of [300, 100, 200]) alarm.by(soon(ms));
	expect(vi.getTimerCount()).toBe(1);
	vi.advanceTimersByTime(99);
	expect(ring).not.toHaveBeenCalled();
	vi.advanceTimersByTime(1_000);
	expect(ring).toHaveBeenCalledTimes(1);
});

it("can be asked again while it rings", () => {
	const times: number[] = [];
	const alarm = new Alarm(() => {
		times.push(performance.now());
		if (times.length < 3) alarm.by(soon(50));
	});
	const start = performance.now();
	alarm.by(soon(50));
	vi.advanceTimersByTime(1_000);
	expect(times.map((time) => Math.round(time - start))).toEqual([50, 100, 150]);
});

it("rings at once for a time that has passed, but not within the call; for infinity never", () => {
	const ring = vi.fn();
	const alarm = new Alarm(ring);
	alarm.by(Number.POSITIVE_INFINITY);
	expect(vi.getTimerCount()).toBe(0);
	alarm.by(soon(-1_000));
	expect(ring).not.toHaveBeenCalled();
	vi.advanceTimersByTime(1);
	expect(ring).toHaveBeenCalledTimes(1);
});

it("rings no more once it was stopped, until it is asked again", () => {
	const ring = vi.fn();
	const alarm = new Alarm(ring);
	alarm.by(soon(10));
	alarm.stop();
	vi.advanceTimersByTime(100);
	expect([ring.mock.calls.length, vi.getTimerCount()]).toEqual([0, 0]);
	alarm.by(soon(20));
	vi.advanceTimersByTime(100);
	expect(ring).toHaveBeenCalledTimes(1);
});
