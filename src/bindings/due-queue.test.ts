import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DueQueue } from "./due-queue.js";

describe("DueQueue", () => {
	it("gives out what is due, earliest first, and nothing that is not", () => {
		const queue = new DueQueue<string>();
		for (const [item, at] of [
			["c", 30],
			["a", 10],
			["b", 20],
		] as const)
			queue.push(item, at);
		expect([queue.nextAt, queue.size]).toEqual([10, 3]);
		expect([queue.take(9), queue.take(25), queue.take(25), queue.take(25)]).toEqual([undefined, "a", "b", undefined]);
		expect([queue.take(30), queue.nextAt, queue.size]).toEqual(["c", Number.POSITIVE_INFINITY, 0]);
	});

	it("is a list kept in order, whatever is pushed and taken when", () => {
		const step = fc.tuple(fc.constantFrom("push", "push", "take"), fc.nat(50));
		fc.assert(
			fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
				const queue = new DueQueue<number>();
				let list: number[] = [];
				for (const [action, at] of steps) {
					if (action === "push") {
						queue.push(at, at);
						list = [...list, at].sort((a, b) => a - b);
					} else {
						const due = list[0] !== undefined && list[0] <= at ? list.shift() : undefined;
						expect(queue.take(at)).toBe(due);
					}
					expect([queue.size, queue.nextAt]).toEqual([list.length, list[0] ?? Number.POSITIVE_INFINITY]);
				}
			}),
		);
	});
});
