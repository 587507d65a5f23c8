import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { received } from "../../test/support/session-parts.js";
import { AckQueue } from "./ack-queue.js";
import { Delivery, type DeliveryOwner } from "./delivery.js";

const owner: DeliveryOwner = { ack: () => true, passOver: () => {}, release: () => {} };

/** A queue that is told what happens in words: `add a`, `settle a`, `pass a`, `remove a`. */
function setup() {
	const queue = new AckQueue();
	const deliveries = new Map<string, Delivery>();
	const names = new Map<Delivery, string>();
	const act = (step: string) => {
		const [action, name = ""] = step.split(" ");
		const delivery = deliveries.get(name) ?? new Delivery(owner, received(name), deliveries.size + 1);
		deliveries.set(name, delivery);
		names.set(delivery, name);
		if (action === "settle") {
			delivery.accepted = true;
			queue.settle(delivery);
		} else if (action === "add") queue.add(delivery);
		else if (action === "pass") queue.passOver(delivery);
		else queue.remove(delivery);
	};
	const nameOf = (delivery: Delivery | undefined) => (delivery === undefined ? undefined : names.get(delivery));
	const takeAll = () => {
		const taken: string[] = [];
		for (let next = nameOf(queue.take()); next !== undefined; next = nameOf(queue.take())) taken.push(next);
		return taken.join(" ");
	};
	return { queue, act, takeAll, nameOf };
}

describe("acknowledgements leave", () => {
	it.each<[string, string, string]>([
		[
			"[MQTT-4.6.0-2] in the order of arrival, whatever order they are settled in",
			"settle c, settle b, settle a",
			"a b c d",
		],
		["[MQTT-4.6.0-2] not before everything that arrived earlier is settled", "settle b, settle c", ""],
		["[MQTT-4.6.0-2] up to the oldest unsettled one", "settle a, settle b, settle d", "a b"],
		["past one that was passed over", "pass a, settle b, settle c", "b c"],
		["past several that were passed over", "pass b, pass c, settle a, settle d", "a d"],
		["not past the oldest that was not passed over, though later ones were", "pass b, settle c, settle b", ""],
		[
			"for one passed over at once when it is settled and nothing older is in place",
			"pass b, settle a, settle b",
			"a b",
		],
		["for one passed over when all has left that arrived before it", "pass c, settle c, settle a, settle b", "a b c"],
		[
			"for one passed over before older ones that were passed over too and are not settled",
			"pass a, pass b, settle b",
			"b",
		],
		["for several passed over in the order of their arrival", "pass c, pass a, settle c, settle a, settle b", "a b c"],
		["behind one that was taken out", "settle b, remove a", "b"],
		["without one that was settled and taken out", "settle a, settle b, remove a", "b"],
		["without one that was passed over, settled and taken out", "pass b, settle b, remove b, settle a", "a"],
	])("%s", (_, steps, expected) => {
		const { act, takeAll } = setup();
		for (const name of ["a", "b", "c", "d"]) act(`add ${name}`);
		for (const step of steps.split(", ")) act(step);
		if (expected === "a b c d") act("settle d");
		expect(takeAll()).toBe(expected);
	});

	it("for one that was settled before it was added, as an adopted one may be", () => {
		const { act, takeAll } = setup();
		for (const step of ["settle a", "add a", "add b"]) act(step);
		expect(takeAll()).toBe("a");
	});

	it("exactly as a plain description of the rule says, whatever happens in whatever order", () => {
		const step = fc.tuple(fc.constantFrom("add", "settle", "settle", "pass", "remove", "take"), fc.nat(7));
		fc.assert(
			fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
				const { queue, act, nameOf } = setup();
				let all: { name: string; settled: boolean; passed: boolean }[] = [];
				let count = 0;
				for (const [action, pick] of steps) {
					const one = all[pick % Math.max(1, all.length)];
					if (action === "add") {
						const name = String(count++);
						act(`add ${name}`);
						all.push({ name, settled: false, passed: false });
					} else if (action === "take") {
						const next = all.find(
							({ settled }, index) => settled && all.slice(0, index).every((older) => older.passed && !older.settled),
						);
						expect(nameOf(queue.take())).toBe(next?.name);
						all = all.filter((other) => other !== next);
					} else if (one !== undefined) {
						if (action === "settle" && !one.settled) {
							act(`settle ${one.name}`);
							one.settled = true;
						} else if (action === "pass") {
							act(`pass ${one.name}`);
							one.passed ||= !one.settled;
						} else if (action === "remove") {
							act(`remove ${one.name}`);
							all = all.filter((other) => other !== one);
						}
					}
					const inPlace = all.find(({ passed }) => !passed);
					const waiting = inPlace?.settled === false ? all.findLast(({ settled }) => settled) : undefined;
					expect(queue.newestWaiting()).toBe(waiting && Number(waiting.name) + 1);
				}
			}),
			{ numRuns: 500 },
		);
	});
});

describe("the queue knows", () => {
	it.each<[string, string, string | undefined, number | undefined]>([
		["nothing that blocks while nothing is settled", "", undefined, undefined],
		["the unsettled one that settled ones wait behind, and the newest of these", "settle b, settle c", "a", 3],
		["that one which was passed over and settled waits too", "pass c, settle c", "a", 3],
		["the next one that blocks once the first is passed over", "settle c, settle d, pass a", "b", 4],
		["nothing that blocks when the oldest is settled", "settle a", undefined, undefined],
	])("%s", (_, steps, blocking, newest) => {
		const { queue, act, nameOf } = setup();
		for (const name of ["a", "b", "c", "d"]) act(`add ${name}`);
		for (const step of steps.split(", ")) if (step !== "") act(step);
		expect([nameOf(queue.blocking()), queue.newestWaiting()]).toEqual([blocking, newest]);
	});

	it("which ones to pass over for a settled one: all unsettled ones before it, none after", () => {
		const { queue, act, takeAll } = setup();
		for (const name of ["a", "b", "c", "d", "e"]) act(`add ${name}`);
		for (const name of ["c", "e"]) act(`settle ${name}`);
		queue.passOverBefore(queue.newestWaiting()! - 2);
		expect(takeAll()).toBe("c");
		expect(queue.blocking()).toBeDefined();
	});

	it("nothing of a connection that is gone", () => {
		const { queue, act, takeAll } = setup();
		for (const step of ["add a", "add b", "pass a", "settle a", "settle b"]) act(step);
		queue.clear();
		expect(takeAll()).toBe("");
		for (const step of ["add c", "settle c"]) act(step);
		expect(takeAll()).toBe("c");
	});
});
