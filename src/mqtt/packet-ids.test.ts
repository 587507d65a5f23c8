import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PacketIds, PacketIdTable } from "./packet-ids.js";

const LAST = 65_535;

describe("PacketIds", () => {
	it("[MQTT-2.3.1-2] never hands out an identifier that is taken, whatever is freed in whatever order (P16)", () => {
		const steps = fc.array(fc.oneof(fc.constant("take" as const), fc.nat(20)), { maxLength: 200 });
		fc.assert(
			fc.property(fc.integer({ min: 1, max: 60_000 }), fc.nat(9), steps, (first, more, actions) => {
				const ids = new PacketIds(first, first + more);
				const taken: number[] = [];
				for (const action of actions) {
					if (action !== "take") {
						const freed = taken.splice(action, 1)[0] ?? first + action;
						if (!taken.includes(freed) && freed <= first + more) ids.free(freed);
						continue;
					}
					const packetId = ids.take();
					if (taken.length === more + 1) {
						expect(packetId).toBe(0);
						continue;
					}
					expect(packetId).toBeGreaterThanOrEqual(first);
					expect(packetId).toBeLessThanOrEqual(first + more);
					expect(taken).not.toContain(packetId);
					taken.push(packetId);
					expect(ids.size).toBe(taken.length);
				}
			}),
		);
	});

	it("[MQTT-2.3.1-1] hands out every identifier from 1 to 65,535, never 0, before it says that none is left", () => {
		const ids = new PacketIds(1, LAST);
		const all = Array.from({ length: LAST }, () => ids.take());
		expect(all).toEqual(Array.from({ length: LAST }, (_, index) => index + 1));
		expect(ids.take()).toBe(0);
	});

	it("goes on with 1 after 65,535 (P16)", () => {
		const ids = new PacketIds(1, LAST);
		for (let expected = 1; expected <= LAST; expected++) ids.free(ids.take());
		expect([ids.take(), ids.take()]).toEqual([1, 2]);
	});

	it("hands out the one that has been free for longest, however it was freed", () => {
		const ids = new PacketIds(1, 4);
		for (let i = 0; i < 4; i++) ids.take();
		for (const packetId of [3, 1, 4]) ids.free(packetId);
		expect([ids.take(), ids.take(), ids.take(), ids.take()]).toEqual([3, 1, 4, 0]);
	});

	it("takes no notice of an identifier given back twice, or never taken", () => {
		const ids = new PacketIds(1, 2);
		const first = ids.take();
		ids.free(first);
		ids.free(first);
		ids.free(2);
		ids.free(99);
		expect([ids.take(), ids.take(), ids.take()]).toEqual([2, 1, 0]);
	});

	it("takes as long with three identifiers left as with all of them (P16)", () => {
		const ids = new PacketIds(1, LAST);
		for (let i = 0; i < LAST - 3; i++) ids.take();
		const startedAt = performance.now();
		for (let i = 0; i < 500_000; i++) ids.free(ids.take());
		// A search through 65,532 taken ones would take minutes.
		expect(performance.now() - startedAt).toBeLessThan(5_000);
	});
});

describe("PacketIdTable", () => {
	it("does what a Map does", () => {
		const step = fc.tuple(fc.constantFrom("set", "delete", "clear"), fc.constantFrom(1, 2, 255, 256, 257, 65_535));
		fc.assert(
			fc.property(fc.array(step, { maxLength: 50 }), (steps) => {
				const table = new PacketIdTable<string>();
				const map = new Map<number, string>();
				for (const [index, [action, packetId]] of steps.entries()) {
					if (action === "set") {
						table.set(packetId, `value ${index}`);
						map.set(packetId, `value ${index}`);
					} else if (action === "delete") {
						table.delete(packetId);
						map.delete(packetId);
					} else if (index % 7 === 0) {
						table.clear();
						map.clear();
					}
					expect(table.size).toBe(map.size);
					expect(table.get(packetId)).toBe(map.get(packetId));
				}
				expect([...table.values()]).toEqual([...map].sort(([a], [b]) => a - b).map(([, value]) => value));
			}),
		);
	});
});
