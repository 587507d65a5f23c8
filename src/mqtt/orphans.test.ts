import { describe, expect, it } from "vitest";
import { received, unread } from "../../test/support/session-parts.js";
import { Delivery, type DeliveryOwner } from "./delivery.js";
import { equalMessages, Orphans } from "./orphans.js";
import type { PublishPacket } from "./packet.js";

const owner: DeliveryOwner = { ack: () => true, passOver: () => {}, release: () => {} };

function setup(...packets: readonly PublishPacket[]) {
	const orphans = new Orphans();
	const all = packets.map((packet, index) => Object.assign(new Delivery(owner, packet, index), { cost: 10 }));
	for (const orphan of all) orphans.add(orphan);
	return { orphans, all, indexOf: (orphan: Delivery | undefined) => (orphan === undefined ? -1 : all.indexOf(orphan)) };
}

describe("two messages are equal", () => {
	const one = received("same", { packetId: 1 });
	it.each<[string, PublishPacket, boolean]>([
		["whatever their identifiers, DUP and RETAIN", { ...one, packetId: 2, dup: true, retain: true }, true],
		["not with another QoS", { ...one, qos: 2 }, false],
		["not with another topic", { ...one, topic: "u" }, false],
		["not with another payload of the same size", received("SAME"), false],
		["not with a payload of another size", received("same!"), false],
		["not when only one of them was read", unread(4), false],
	])("%s", (_, other, expected) => {
		expect([equalMessages(one, other), equalMessages(other, one)]).toEqual([expected, expected]);
	});

	it("when neither was read and their sizes agree: the size stands for the payload", () => {
		expect(equalMessages(unread(5_000), unread(5_000, { packetId: 9 }))).toBe(true);
		expect(equalMessages(unread(5_000), unread(5_001))).toBe(false);
	});
});

describe("orphans", () => {
	it("are found by a message equal to them: the one of equal identifier first", () => {
		const { orphans, indexOf } = setup(received("a", { packetId: 1 }), received("a", { packetId: 2 }));
		expect(indexOf(orphans.findEqual(received("a", { packetId: 2 })))).toBe(1);
	});

	it("are found by a message that was numbered anew: the oldest first", () => {
		const { orphans, indexOf } = setup(
			received("b", { packetId: 1 }),
			received("a", { packetId: 2 }),
			received("a", { packetId: 3 }),
		);
		expect(indexOf(orphans.findEqual(received("a", { packetId: 9 })))).toBe(1);
	});

	it("are not found by a message that merely has their identifier", () => {
		const { orphans } = setup(received("a", { packetId: 1 }));
		expect(orphans.findEqual(received("b", { packetId: 1 }))).toBeUndefined();
		expect(orphans.findEqualWithId(received("a", { packetId: 2 }))).toBeUndefined();
	});

	it("may be meant by a PUBLISH whose topic, QoS and size are theirs, before its payload is read", () => {
		const { orphans } = setup(received("abc"));
		expect(orphans.mayHold("t", 1, 3)).toBe(true);
		expect([orphans.mayHold("u", 1, 3), orphans.mayHold("t", 2, 3), orphans.mayHold("t", 1, 4)]).not.toContain(true);
	});

	it("are gone from every account once deleted, and deleting twice changes nothing", () => {
		const { orphans, all } = setup(received("a", { packetId: 1 }), received("a", { packetId: 1 }));
		orphans.delete(all[0]!);
		orphans.delete(all[0]!);
		expect([orphans.size, orphans.cost, orphans.all(), orphans.withPacketId(1)]).toEqual([1, 10, [all[1]], [all[1]]]);
		orphans.delete(all[1]!);
		expect(orphans.findEqual(received("a"))).toBeUndefined();
		expect([orphans.size, orphans.cost, orphans.mayHold("t", 1, 1)]).toEqual([0, 0, false]);
	});
});
