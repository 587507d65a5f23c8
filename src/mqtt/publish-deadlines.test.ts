import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type NotedPublish, SinkRecorder, toPublish } from "../../test/support/session-parts.js";
import { Outbound } from "./outbound.js";
import { PublishDeadlines } from "./publish-deadlines.js";

beforeEach(() => {
	vi.useFakeTimers();
});
afterEach(() => {
	vi.useRealTimers();
});

function setup() {
	const outbound = new Outbound();
	const deadlines = new PublishDeadlines(outbound, () => "no answer in time");
	outbound.connected(false);
	const add = (text: string, inMs: number): NotedPublish => {
		const publish = toPublish(text, 1, { deadline: performance.now() + inMs });
		outbound.enqueue(publish);
		deadlines.add(publish);
		return publish;
	};
	return { outbound, deadlines, add };
}

describe("PublishDeadlines", () => {
	it("ends a publish that waits when its deadline has passed, not before: not sent", () => {
		const { outbound, add } = setup();
		const publish = add("a", 1_000);
		vi.advanceTimersByTime(999);
		expect(publish.outcome).toBeUndefined();
		vi.advanceTimersByTime(11);
		expect([publish.outcome, outbound.pending]).toEqual(["not sent: no answer in time", 0]);
	});

	it("ends one that was written: outcome unknown", () => {
		const { outbound, add } = setup();
		const publish = add("a", 1_000);
		outbound.write(new SinkRecorder());
		vi.advanceTimersByTime(1_011);
		expect(publish.outcome).toBe("outcome unknown: no answer in time");
	});

	it("ends each in its time, in whatever order they came", () => {
		const { add } = setup();
		const all = [300, 100, 200].map((inMs) => add(`in ${inMs}`, inMs));
		const ended = () => all.map(({ outcome }) => outcome !== undefined);
		vi.advanceTimersByTime(120);
		expect(ended()).toEqual([false, true, false]);
		vi.advanceTimersByTime(100);
		expect(ended()).toEqual([false, true, true]);
		vi.advanceTimersByTime(100);
		expect(ended()).toEqual([true, true, true]);
	});

	it("leaves one alone that was answered, and runs out of timers", () => {
		const { outbound, add } = setup();
		const publish = add("a", 1_000);
		outbound.write(new SinkRecorder());
		outbound.acknowledged(publish.packetId);
		vi.advanceTimersByTime(5_000);
		expect([publish.outcome, vi.getTimerCount()]).toEqual(["done", 0]);
	});

	it("needs one timer for many", () => {
		const { add } = setup();
		for (let i = 0; i < 1_000; i++) add("a", 1_000 + i);
		expect(vi.getTimerCount()).toBe(1);
	});

	it("waits for a deadline that is further away than a timer can be set", () => {
		const { add } = setup();
		const publish = add("a", 2 ** 31 + 1_000);
		const setTimer = vi.spyOn(globalThis, "setTimeout");
		vi.advanceTimersByTime(60_000);
		expect(setTimer).not.toHaveBeenCalled();
		vi.advanceTimersByTime(2 ** 31 - 60_000);
		expect([publish.outcome, vi.getTimerCount()]).toEqual([undefined, 1]);
		vi.advanceTimersByTime(2_000);
		expect(publish.outcome).toBe("not sent: no answer in time");
	});

	it("ends nothing any more once cleared", () => {
		const { deadlines, add } = setup();
		const publish = add("a", 1_000);
		deadlines.clear();
		vi.advanceTimersByTime(5_000);
		expect([publish.outcome, vi.getTimerCount()]).toEqual([undefined, 0]);
	});
});
