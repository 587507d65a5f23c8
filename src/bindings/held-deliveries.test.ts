import { describe, expect, it } from "vitest";
import { InboundRecorder, textOf, unread } from "../../test/support/session-parts.js";
import type { Delivery } from "../mqtt/delivery.js";
import { HeldDeliveries } from "./held-deliveries.js";

/** Held deliveries `m0`, `m1`, … since time 0, tried again every 30 s, two at once, and an app that the test plays. */
function setup(count: number, { atOnce = 2, random = (): number => 1 } = {}) {
	const recorder = new InboundRecorder();
	const held = new HeldDeliveries({ intervalMs: 30_000, atOnce, random });
	const all = Array.from({ length: count }, (_, index) => recorder.deliver(`m${index}`, index + 1));
	for (const delivery of all) held.add(delivery, 0);
	/** All that may be tried at `now`, handed to the app. */
	const take = (now: number) => {
		const taken: Delivery[] = [];
		for (let next = held.take(now); next !== undefined; next = held.take(now)) {
			next.running = true;
			next.at = now;
			taken.push(next);
		}
		return taken;
	};
	const end = (delivery: Delivery, isAccepted: boolean, now: number) => {
		delivery.running = false;
		held.ended(delivery, isAccepted, now);
	};
	const names = (deliveries: Iterable<Delivery>) => Array.from(deliveries, textOf).join(" ");
	return { recorder, held, all, take, end, names };
}

describe("held deliveries are tried again", () => {
	it("when the interval is over, not before", () => {
		const { held, take, names } = setup(1);
		expect([held.nextAt, take(29_999)]).toEqual([30_000, []]);
		expect(names(take(30_000))).toBe("m0");
	});

	it.each([
		[0, 22_500],
		[1, 30_000],
	])("after three quarters of the interval to the whole of it (lot %s)", (lot, dueAt) => {
		expect(setup(1, { random: () => lot }).held.nextAt).toBe(dueAt);
	});

	it("the one not tried for longest first, and as many at once as may be, however long they take", () => {
		const { held, take, end, names } = setup(5);
		const first = take(30_000);
		expect([names(first), held.nextAt]).toEqual(["m0 m1", Number.POSITIVE_INFINITY]);
		end(first[0]!, false, 30_100);
		expect([names(take(30_100)), names(take(90_000))]).toEqual(["m2", ""]);
	});

	it("again after another interval when they fail", () => {
		const { held, take, end, names } = setup(1);
		end(take(30_000)[0]!, false, 31_000);
		expect([held.size, held.nextAt, names(take(60_999)), names(take(61_000))]).toEqual([1, 61_000, "", "m0"]);
	});

	it("not while their connection is gone, and again when they are adopted", () => {
		const { recorder, held, all, take, names } = setup(1);
		recorder.inbound.disconnected(false);
		expect([held.nextAt, take(90_000)]).toEqual([Number.POSITIVE_INFINITY, []]);
		recorder.inbound.connected(true);
		recorder.receive({ ...all[0]!.packet, dup: true });
		expect(names(take(90_000))).toBe("m0");
	});
});

describe("when one is accepted", () => {
	it("the others follow at once, within the bound", () => {
		const { take, end, names } = setup(5);
		const first = take(30_000);
		end(first[0]!, true, 30_050);
		const second = take(30_050);
		end(first[1]!, true, 30_050);
		end(second[0]!, true, 30_100);
		expect([names(second), names(take(30_100))]).toEqual(["m2", "m3 m4"]);
	});

	it("each at most once a second, and the failure of one stops no other", () => {
		const { all, take, end, names } = setup(4, { atOnce: 1 });
		end(take(30_000)[0]!, false, 30_000);
		end(take(30_000)[0]!, true, 30_010);
		expect(names(take(30_010))).toBe("m2");
		end(all[2]!, false, 30_020);
		expect(names(take(30_020))).toBe("m3");
		end(all[3]!, true, 30_030);
		expect(names(take(30_999))).toBe("");
		expect(names(take(31_000))).toBe("m0");
		end(all[0]!, false, 31_000);
		expect(names(take(31_019))).toBe("");
		expect(names(take(31_020))).toBe("m2");
		end(all[2]!, false, 31_020);
		expect([names(take(60_999)), names(take(61_000))]).toEqual(["", "m0"]);
	});

	it("one that is held later waits its whole interval all the same", () => {
		const { recorder, held, take, end, names } = setup(1);
		end(take(30_000)[0]!, true, 30_000);
		held.add(recorder.deliver("later", 9), 40_000);
		expect([names(take(69_999)), names(take(70_000))]).toEqual(["", "later"]);
	});
});

describe("when the app is back", () => {
	it("what is held is tried soon, and what fails then waits its whole interval", () => {
		const { held, take, end, names } = setup(3);
		held.hurry();
		const first = take(1_000);
		expect(names(first)).toBe("m0 m1");
		for (const delivery of first) end(delivery, false, 1_100);
		expect(names(take(1_100))).toBe("m2");
		expect([names(take(31_099)), names(take(31_100))]).toEqual(["", "m0"]);
	});
});

describe("held deliveries go", () => {
	it("when they are accepted or deleted", () => {
		const { held, all, take, end, names } = setup(3);
		end(take(30_000)[0]!, true, 30_000);
		held.delete(all[2]!);
		expect([held.size, names(held)]).toEqual([1, "m1"]);
	});

	it("when they died while the app had them", () => {
		const { recorder, held, take, end } = setup(1);
		const [delivery] = take(30_000);
		recorder.deliver("another", 1);
		held.delete(delivery!);
		end(delivery!, false, 30_500);
		expect([held.size, held.nextAt]).toEqual([0, Number.POSITIVE_INFINITY]);
	});
});

describe("what is too large to be read", () => {
	it("is kept apart, never tried, and stands in nobody's way", () => {
		const { recorder, held, all, take, end, names } = setup(1);
		const large = recorder.receive(unread(5_000, { packetId: 9 }))!;
		held.addOversized(large, 0);
		expect([held.size, names(held.oversized), large.stage]).toEqual([1, "(5000 bytes)", "held"]);
		expect(names(take(90_000))).toBe("m0");
		end(all[0]!, true, 90_000);
		expect([take(1_000_000), held.nextAt]).toEqual([[], Number.POSITIVE_INFINITY]);
		held.delete(large);
		expect(held.oversized.size).toBe(0);
	});
});
