import fc from "fast-check";
import type { Packet, QoS } from "../../src/mqtt/packet.js";

const qos = fc.constantFrom<QoS>(0, 1, 2);
const packetId = fc.integer({ min: 1, max: 65_535 });
/** Any well-formed string without U+0000. */
const text = fc.string({ unit: "binary", maxLength: 20 }).map((it) => it.replaceAll("\0", ""));
const level = text.map((it) => it.replaceAll(/[+#/]/g, ""));
const topic = fc
	.array(level, { minLength: 1, maxLength: 4 })
	.map((levels) => levels.join("/"))
	.filter((it) => it !== "");
const filter = fc
	.tuple(fc.array(fc.oneof(level, fc.constant("+")), { maxLength: 4 }), fc.boolean())
	.map(([levels, hash]) => (hash ? [...levels, "#"] : levels).join("/"))
	.filter((it) => it !== "");
const bytes = fc.uint8Array({ maxLength: 40 }).map((it) => Buffer.from(it));

const publish = fc
	.record({ topic, payload: bytes, qos, retain: fc.boolean(), dup: fc.boolean(), packetId })
	.map((it) => ({
		...it,
		type: "publish" as const,
		dup: it.dup && it.qos > 0,
		packetId: it.qos > 0 ? it.packetId : 0,
		payloadSize: it.payload.length,
		skipped: false,
	}));
const will = fc.record({ topic, payload: bytes, qos, retain: fc.boolean() });
const connect = fc
	.record({
		clientId: text,
		cleanSession: fc.boolean(),
		keepAlive: fc.integer({ min: 0, max: 65_535 }),
		username: fc.option(text, { nil: undefined }),
		password: fc.option(bytes, { nil: undefined }),
		will: fc.option(will, { nil: undefined }),
	})
	.map((it) => ({
		...it,
		type: "connect" as const,
		cleanSession: it.cleanSession || it.clientId === "",
		password: it.username === undefined ? undefined : it.password,
	}));
const connAck = fc.oneof(
	fc.record({ type: fc.constant("connAck" as const), sessionPresent: fc.boolean(), returnCode: fc.constant(0) }),
	fc.record({
		type: fc.constant("connAck" as const),
		sessionPresent: fc.constant(false),
		returnCode: fc.integer({ min: 1, max: 5 }),
	}),
);
const acknowledgement = fc.record({
	type: fc.constantFrom(
		"pubAck" as const,
		"pubRec" as const,
		"pubRel" as const,
		"pubComp" as const,
		"unsubAck" as const,
	),
	packetId,
});
const subscribe = fc.record({
	type: fc.constant("subscribe" as const),
	packetId,
	subscriptions: fc.array(fc.record({ filter, qos }), { minLength: 1, maxLength: 4 }),
});
const subAck = fc.record({
	type: fc.constant("subAck" as const),
	packetId,
	returnCodes: fc.array(fc.constantFrom(0, 1, 2, 0x80), { minLength: 1, maxLength: 4 }),
});
const unsubscribe = fc.record({
	type: fc.constant("unsubscribe" as const),
	packetId,
	filters: fc.array(filter, { minLength: 1, maxLength: 4 }),
});
const bare = fc.record({ type: fc.constantFrom("pingReq" as const, "pingResp" as const, "disconnect" as const) });

/** Any packet that MQTT 3.1.1 allows, of small size. */
export const arbitraryPacket: fc.Arbitrary<Packet> = fc.oneof(
	{ weight: 3, arbitrary: publish },
	{ weight: 2, arbitrary: connect },
	connAck,
	acknowledgement,
	subscribe,
	subAck,
	unsubscribe,
	bare,
);
