import { describe, expect, it } from "vitest";
import { received } from "../../test/support/session-parts.js";
import { Delivery, type DeliveryOwner } from "./delivery.js";

const owner: DeliveryOwner = { ack: () => true, passOver: () => {}, release: () => {} };
const make = (state: Delivery["state"] = "live") => Object.assign(new Delivery(owner, received("a"), 1), { state });
const running = () => Object.assign(make("dead"), { running: true });

describe("a delivery may be handed to the app", () => {
	it.each<[string, Delivery["state"], boolean, boolean]>([
		["while its connection is up", "live", false, true],
		["not while its connection is gone", "orphan", false, false],
		["not when it lost its right to another message", "dead", false, false],
		["when its session is gone and the app has not seen it", "dead", true, true],
	])("%s", (_, state, lost, expected) => {
		expect(Object.assign(make(state), { lost }).deliverable).toBe(expected);
	});

	it("when the handler of the delivery before it has ended, which knows it as its successor", () => {
		const [older, newer] = [running(), make()];
		newer.startAfter(older);
		expect(older.successor).toBe(newer);
		expect(newer.deliverable).toBe(false);
		older.running = false;
		expect(newer.deliverable).toBe(true);
	});

	it("only when all handlers have ended that it waits for", () => {
		const [first, second, newer] = [running(), running(), make()];
		newer.startAfter(first);
		newer.startAfter(second);
		expect([first.successor, second.successor]).toEqual([newer, newer]);
		for (const ended of [second, first]) {
			expect(newer.deliverable).toBe(false);
			ended.running = false;
		}
		expect(newer.deliverable).toBe(true);
	});

	it("when a handler has ended that the delivery before it waited for", () => {
		const [first, between, newer] = [running(), make(), make()];
		between.startAfter(first);
		newer.startAfter(between);
		expect([newer.deliverable, first.successor]).toEqual([false, newer]);
		first.running = false;
		expect(newer.deliverable).toBe(true);
	});

	it("at once behind a delivery whose handler does not run", () => {
		const [older, newer] = [make("dead"), make()];
		newer.startAfter(older);
		expect([newer.deliverable, older.successor]).toEqual([true, undefined]);
	});
});

describe("detach", () => {
	it("gives a small part of a large chunk memory of its own, with the same bytes", () => {
		const chunk = Buffer.alloc(65_536, "x");
		const packet = { ...received(""), payload: chunk.subarray(100, 105), payloadSize: 5 };
		const delivery = new Delivery(owner, packet, 1);
		delivery.detach();
		expect(delivery.packet.payload.buffer.byteLength).toBeLessThan(65_536);
		expect(delivery.packet).toEqual({ ...packet, payload: Buffer.from("xxxxx") });
	});

	it("leaves a payload alone that has its memory for itself", () => {
		const payload = Buffer.from(new ArrayBuffer(100));
		const delivery = new Delivery(owner, { ...received(""), payload, payloadSize: 100 }, 1);
		delivery.detach();
		expect(delivery.packet.payload).toBe(payload);
	});
});
