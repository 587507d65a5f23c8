import { describe, expect, it } from "vitest";
import { OrderWatch } from "./order-watch.js";

/** Connections that end `afterMs` after an overtaking acknowledgement, at these times. */
function ends(watch: OrderWatch, times: readonly number[], hadPublish = false, afterMs = 1_000): readonly boolean[] {
	return times.map((at) => {
		watch.overtook(at - afterMs);
		return watch.ended(at, hadPublish);
	});
}

describe("a broker that insists on the order", () => {
	it("is seen at the second connection that it ends within a second of an overtaking acknowledgement", () => {
		expect(ends(new OrderWatch(), [10_000, 600_000])).toEqual([false, true]);
	});

	it("is not seen where that takes more than ten minutes, or the end comes later than a second", () => {
		expect(ends(new OrderWatch(), [10_000, 610_001])).toEqual([false, false]);
		expect(ends(new OrderWatch(), [10_000, 20_000, 30_000], false, 1_001)).toEqual([false, false, false]);
	});

	it("is not seen where nothing overtook", () => {
		const watch = new OrderWatch();
		expect([watch.ended(1, false), watch.ended(2, false), watch.overtookRecently(3)]).toEqual([false, false, false]);
	});

	it("is seen at the fifth where each time a publish was unanswered, which may have been the reason", () => {
		expect(ends(new OrderWatch(), [1_000, 2_000, 3_000, 4_000, 5_000], true)).toEqual([
			false,
			false,
			false,
			false,
			true,
		]);
		const watch = new OrderWatch();
		expect([...ends(watch, [1_000, 2_000], true), ...ends(watch, [3_000], false)]).toEqual([false, false, true]);
	});

	it("one overtaking acknowledgement explains one end", () => {
		const watch = new OrderWatch();
		watch.overtook(1_000);
		expect([watch.ended(1_100, false), watch.ended(1_200, false)]).toEqual([false, false]);
	});
});
