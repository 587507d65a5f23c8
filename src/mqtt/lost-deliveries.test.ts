import { describe, expect, it } from "vitest";
import { received } from "../../test/support/session-parts.js";
import { Delivery, type DeliveryOwner } from "./delivery.js";
import { LostDeliveries } from "./lost-deliveries.js";

const owner: DeliveryOwner = { ack: () => true, passOver: () => {}, release: () => {} };

/** Four of 40 bytes each where 100 fit. */
function setup() {
	const lost = new LostDeliveries(100);
	const all = [1, 2, 3, 4].map((id) => Object.assign(new Delivery(owner, received("a"), id), { cost: 40 }));
	for (const delivery of all) lost.add(delivery);
	return { lost, all };
}

describe("LostDeliveries", () => {
	it("drops the oldest until the rest is within bounds, but none that runs", () => {
		const { lost, all } = setup();
		all[0]!.running = true;
		expect(lost.trim()).toEqual([all[1], all[2]]);
		expect(all.map((delivery) => delivery.lost)).toEqual([true, false, false, true]);
		expect(lost.trim()).toEqual([]);
	});

	it("has room for as much as is finished, once each", () => {
		const { lost, all } = setup();
		for (const delivery of [all[0]!, all[0]!, all[3]!]) lost.finish(delivery);
		expect(lost.trim()).toEqual([]);
		lost.add(Object.assign(new Delivery(owner, received("b"), 5), { cost: 40 }));
		expect(lost.trim()).toEqual([all[1]]);
	});
});
