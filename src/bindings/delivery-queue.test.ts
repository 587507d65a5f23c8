import { describe, expect, it } from "vitest";
import { InboundRecorder, start, textOf } from "../../test/support/session-parts.js";
import type { Delivery } from "../mqtt/delivery.js";
import { DeliveryQueue } from "./delivery-queue.js";

function setup(count: number) {
	const recorder = new InboundRecorder();
	const queue = new DeliveryQueue();
	const all = Array.from({ length: count }, (_, index) => recorder.deliver(`m${index}`, index + 1));
	const takeAll = () => {
		const taken: string[] = [];
		for (let next = queue.take(); next !== undefined; next = queue.take()) taken.push(textOf(next));
		return taken.join(" ");
	};
	return { recorder, queue, all, takeAll };
}

describe("what waits for the app is handed over", () => {
	it("in the order of arrival", () => {
		const { queue, all, takeAll } = setup(3);
		for (const delivery of all) queue.push(delivery);
		expect([queue.size, takeAll(), queue.size]).toEqual([3, "m0 m1 m2", 0]);
	});

	it("with what was given back first, at the place of its arrival", () => {
		const { queue, all, takeAll } = setup(5);
		for (const delivery of all) queue.push(delivery);
		const [first, second, third] = [queue.take(), queue.take(), queue.take()] as Delivery[];
		for (const delivery of [third, first, second]) queue.putBack(delivery!);
		expect(takeAll()).toBe("m0 m1 m2 m3 m4");
	});

	it("unless it died while it waited", () => {
		const { recorder, queue, all, takeAll } = setup(3);
		for (const delivery of all) queue.push(delivery);
		recorder.deliver("another", 2);
		expect(takeAll()).toBe("m0 m2");
	});

	it("and what died there does not pile up while nothing is taken", () => {
		const { recorder, queue } = setup(0);
		for (let round = 0; round < 5_000; round++) {
			const [older] = recorder.inbound.unacknowledged();
			queue.push(recorder.deliver(`m${round}`, 1));
			if (older?.state === "dead") queue.died();
		}
		expect(queue.size).toBeLessThanOrEqual(1_026);
	});

	it("unless it was settled while it waited", () => {
		const { queue, all, takeAll } = setup(3);
		for (const delivery of all) queue.push(delivery);
		all[0]!.stage = "settled";
		expect(takeAll()).toBe("m1 m2");
	});

	it("unless the handler runs that must end before", () => {
		const { recorder, queue, all, takeAll } = setup(2);
		start(all[0]!);
		queue.push(recorder.deliver("next", 1));
		queue.push(all[1]!);
		expect(takeAll()).toBe("m1");
	});

	it("not when its connection is gone, and once when it was adopted", () => {
		const { recorder, queue, all, takeAll } = setup(3);
		for (const delivery of all) queue.push(delivery);
		queue.putBack(queue.take()!);
		recorder.inbound.disconnected(false);
		queue.dropUndeliverable();
		expect([queue.size, takeAll()]).toEqual([0, ""]);
		recorder.inbound.connected(true);
		recorder.receive({ ...all[1]!.packet, dup: true });
		queue.putBack(all[1]!);
		expect(takeAll()).toBe("m1");
	});

	it("also in their thousands, through every clearing of the queue", () => {
		const { queue, all } = setup(10_000);
		const taken: (Delivery | undefined)[] = [];
		for (const [index, delivery] of all.entries()) {
			queue.push(delivery);
			if (index % 3 !== 0) taken.push(queue.take());
		}
		for (let next = queue.take(); next !== undefined; next = queue.take()) taken.push(next);
		expect(taken.map((delivery) => delivery?.sequence)).toEqual(all.map(({ sequence }) => sequence));
	});
});
