import { describe, expect, it } from "vitest";
import { InboundRecorder } from "../../test/support/session-parts.js";
import type { PublishPacket } from "../mqtt/packet.js";
import { EventMetadata } from "./event-metadata.js";

const deliver = (fields: Partial<PublishPacket> = {}) =>
	new InboundRecorder().deliver("a", fields.qos === 0 ? 0 : 1, fields);

describe("an event's metadata", () => {
	it.each<[string, Partial<PublishPacket>, number, Record<string, string>]>([
		["is the topic alone where nothing else says anything", {}, 0, { topic: "t" }],
		["says that the message was retained", { retain: true }, 0, { topic: "t", retained: "true" }],
		["says that the broker sent it before", { dup: true }, 0, { topic: "t", duplicate: "true" }],
		["names QoS 0", { qos: 0 }, 0, { topic: "t", qos: "0" }],
		["names QoS 2", { qos: 2 }, 0, { topic: "t", qos: "2" }],
		["counts attempts from the second one on", {}, 1, { topic: "t", attempt: "2" }],
		[
			"says all of it at once",
			{ retain: true, dup: true, qos: 2 },
			4,
			{ topic: "t", retained: "true", duplicate: "true", qos: "2", attempt: "5" },
		],
	])("%s", (_, fields, attempts, expected) => {
		const delivery = Object.assign(deliver(fields), { attempts });
		expect(new EventMetadata().of(delivery)).toEqual(expected);
	});

	it("is made once for a topic, and can't be changed by one app for the next event", () => {
		const metadata = new EventMetadata();
		const first = metadata.of(deliver());
		expect(metadata.of(deliver())).toBe(first);
		expect(Object.isFrozen(first)).toBe(true);
	});

	it("is right for more topics than are kept, and for long ones", () => {
		const metadata = new EventMetadata();
		const topics = [...Array.from({ length: 3_000 }, (_, index) => `t/${index}`), "x".repeat(60_000), "t/0"];
		for (const topic of topics) expect(metadata.of(deliver({ topic }))).toEqual({ topic });
	});
});
