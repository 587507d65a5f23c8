import { describe, expect, it } from "vitest";
import { decodeAll } from "../../test/support/decode-all.js";
import { encode, publishSize, writeAck, writePublishHeader } from "./encode.js";
import type { ConnectPacket, Packet, PublishPacket, QoS } from "./packet.js";

const hex = (packet: Packet) => encode(packet).toString("hex");

function connect(fields: Partial<ConnectPacket> = {}): ConnectPacket {
	return { type: "connect", clientId: "c", cleanSession: true, keepAlive: 30, ...fields };
}

function publish(fields: Partial<PublishPacket> = {}): PublishPacket {
	const payload = fields.payload ?? Buffer.from("hi");
	const ids = { qos: 1, packetId: 10 } as const;
	const flags = { retain: false, dup: false, skipped: false };
	return { type: "publish", topic: "a/b", ...ids, ...flags, payloadSize: payload.length, ...fields, payload };
}

/** The position of each text among the bytes, which must hold it just once. */
function positions(bytes: Buffer, texts: readonly string[]): number[] {
	return texts.map((text) => {
		expect(bytes.indexOf(text)).toBe(bytes.lastIndexOf(text));
		return bytes.indexOf(text);
	});
}

const connectFlags = (fields: Partial<ConnectPacket>) => encode(connect(fields))[9]!;
const will = { topic: "will/topic", payload: Buffer.from("will message"), qos: 0, retain: false } as const;

describe("encode", () => {
	it.each<[string, Packet, string]>([
		["CONNECT", connect(), "100d00044d51545404 02 001e 000163"],
		["CONNACK", { type: "connAck", sessionPresent: true, returnCode: 0 }, "2002 01 00"],
		["PUBLISH", publish({ retain: true, dup: true }), "3b09 0003612f62 000a 6869"],
		["PUBACK", { type: "pubAck", packetId: 258 }, "4002 0102"],
		["PUBREC", { type: "pubRec", packetId: 258 }, "5002 0102"],
		["PUBREL", { type: "pubRel", packetId: 258 }, "6202 0102"],
		["PUBCOMP", { type: "pubComp", packetId: 258 }, "7002 0102"],
		["SUBSCRIBE", { type: "subscribe", packetId: 1, subscriptions: [{ filter: "#", qos: 2 }] }, "8206 0001 000123 02"],
		["SUBACK", { type: "subAck", packetId: 1, returnCodes: [0, 0x80] }, "9004 0001 0080"],
		["UNSUBSCRIBE", { type: "unsubscribe", packetId: 1, filters: ["#", "+"] }, "a208 0001 000123 00012b"],
		["UNSUBACK", { type: "unsubAck", packetId: 1 }, "b002 0001"],
		["PINGREQ", { type: "pingReq" }, "c000"],
		["PINGRESP", { type: "pingResp" }, "d000"],
		["DISCONNECT", { type: "disconnect" }, "e000"],
	])("[MQTT-2.2.2-1] writes %s with the flags of Table 2.2", (_, packet, bytes) => {
		expect(hex(packet)).toBe(bytes.replaceAll(" ", ""));
	});

	it("[MQTT-3.6.1-1] [MQTT-3.8.1-1] [MQTT-3.10.1-1] PUBREL, SUBSCRIBE and UNSUBSCRIBE carry the flags 0010", () => {
		expect(hex({ type: "pubRel", packetId: 1 })).toMatch(/^62/);
		expect(hex({ type: "subscribe", packetId: 1, subscriptions: [{ filter: "a", qos: 0 }] })).toMatch(/^82/);
		expect(hex({ type: "unsubscribe", packetId: 1, filters: ["a"] })).toMatch(/^a2/);
	});

	it("[MQTT-3.14.1-1] DISCONNECT carries the flags 0000", () => {
		expect(hex({ type: "disconnect" })).toBe("e000");
	});

	it.each([0, 65_536, -1, 1.5, Number.NaN])(
		"[MQTT-2.3.1-1] refuses packet identifier %d where one is needed",
		(packetId) => {
			expect(() => encode(publish({ packetId }))).toThrow("[MQTT-2.3.1-1]");
			expect(() => encode(publish({ packetId, qos: 2 }))).toThrow("[MQTT-2.3.1-1]");
			expect(() => encode({ type: "subscribe", packetId, subscriptions: [{ filter: "a", qos: 0 }] })).toThrow(
				"[MQTT-2.3.1-1]",
			);
			expect(() => encode({ type: "unsubscribe", packetId, filters: ["a"] })).toThrow("[MQTT-2.3.1-1]");
			for (const type of ["pubAck", "pubRec", "pubRel", "pubComp"] as const) {
				expect(() => encode({ type, packetId })).toThrow("[MQTT-2.3.1-6]");
			}
			for (const packet of [
				{ type: "unsubAck", packetId } as const,
				{ type: "subAck", packetId, returnCodes: [0] } as const,
			]) {
				expect(() => encode(packet)).toThrow("[MQTT-2.3.1-7]");
			}
		},
	);

	it("[MQTT-2.3.1-5] writes no packet identifier with QoS 0, and takes none", () => {
		expect(hex(publish({ qos: 0, packetId: 0 }))).toBe("30070003612f626869");
		expect(() => encode(publish({ qos: 0, packetId: 1 }))).toThrow("[MQTT-2.3.1-5]");
	});

	it("[MQTT-3.3.1-2] [MQTT-4.3.1-1] refuses DUP with QoS 0", () => {
		expect(() => encode(publish({ qos: 0, packetId: 0, dup: true }))).toThrow("[MQTT-3.3.1-2]");
	});

	it("[MQTT-3.3.1-4] refuses QoS 3", () => {
		expect(() => encode(publish({ qos: 3 as QoS }))).toThrow("[MQTT-3.3.1-4]");
	});

	it("[MQTT-3.3.2-1] writes the topic first, in UTF-8", () => {
		expect(encode(publish({ topic: "温度" })).subarray(2, 10)).toEqual(Buffer.from("\0\x06温度"));
	});

	it.each([
		["[MQTT-3.3.2-2]", "a/+"],
		["[MQTT-3.3.2-2]", "#"],
		["[MQTT-4.7.3-1]", ""],
		["[MQTT-4.7.3-3]", "é".repeat(32_768)],
		["[MQTT-1.5.3-1]", "a\ud800"],
		["[MQTT-1.5.3-2]", "a\0"],
	])("%s refuses a PUBLISH topic that breaks it", (clause, topic) => {
		expect(() => encode(publish({ topic }))).toThrow(clause);
	});

	it("[MQTT-4.7.3-3] writes a topic of 65,535 bytes whole", () => {
		const topic = `${"é".repeat(32_767)}x`;
		expect(decodeAll([encode(publish({ topic }))]).packets).toMatchObject([{ topic, payload: Buffer.from("hi") }]);
	});

	it("refuses a packet whose payload the decoder skipped", () => {
		expect(() => encode(publish({ payload: Buffer.alloc(0), payloadSize: 9, skipped: true }))).toThrow("[3.3.3]");
	});

	it("[MQTT-3.1.3-1] [MQTT-3.1.3-3] writes client identifier, will topic, will message, user name, password in this order", () => {
		const password = Buffer.from("pass word");
		const bytes = encode(connect({ clientId: "client id", will, username: "user name", password }));
		const found = positions(bytes, ["client id", "will/topic", "will message", "user name", "pass word"]);
		expect(found).toEqual([...found].sort((a, b) => a - b));
		expect(found[0]).toBe(14);
	});

	it("[MQTT-3.1.2-3] leaves the reserved flag of CONNECT 0", () => {
		const all = {
			cleanSession: true,
			username: "u",
			password: Buffer.from("p"),
			will: { ...will, qos: 2, retain: true } as const,
		};
		expect(connectFlags(all)).toBe(0b1111_0110);
	});

	it("[MQTT-3.1.2-11] [MQTT-3.1.2-13] [MQTT-3.1.2-15] without a will its flags are 0 and its fields absent", () => {
		expect(connectFlags({})).toBe(0b0000_0010);
		expect(encode(connect())).toHaveLength(15);
	});

	it("[MQTT-3.1.2-9] with a will its flag is 1 and topic and message are present", () => {
		expect(connectFlags({ will })).toBe(0b0000_0110);
		expect(connectFlags({ will: { ...will, qos: 1, retain: true } })).toBe(0b0010_1110);
		expect(encode(connect({ will })).subarray(15)).toEqual(Buffer.from("\0\x0awill/topic\0\x0cwill message"));
	});

	it("[MQTT-3.1.2-14] refuses a will of QoS 3", () => {
		expect(() => encode(connect({ will: { ...will, qos: 3 as QoS } }))).toThrow("[MQTT-3.1.2-14]");
	});

	it.each(["a/#", "", "\ud800", "\0"])("[MQTT-3.1.3-10] refuses the will topic %j", (topic) => {
		expect(() => encode(connect({ will: { ...will, topic } }))).toThrow(/CONNECT will topic .* \[MQTT-(4\.7|1\.5\.3)/);
	});

	it("[MQTT-3.1.2-18] [MQTT-3.1.2-19] the user name is there exactly when its flag is 1", () => {
		expect(connectFlags({ username: "" })).toBe(0b1000_0010);
		expect(encode(connect({ username: "" }))).toHaveLength(17);
		expect(connectFlags({}) & 0x80).toBe(0);
	});

	it("[MQTT-3.1.2-20] [MQTT-3.1.2-21] the password is there exactly when its flag is 1", () => {
		expect(connectFlags({ username: "", password: Buffer.alloc(0) })).toBe(0b1100_0010);
		expect(encode(connect({ username: "", password: Buffer.alloc(0) }))).toHaveLength(19);
		expect(connectFlags({ username: "" }) & 0x40).toBe(0);
	});

	it("[MQTT-3.1.2-22] refuses a password without a user name", () => {
		expect(() => encode(connect({ password: Buffer.from("p") }))).toThrow("[MQTT-3.1.2-22]");
	});

	it("[MQTT-3.1.3-7] refuses an empty client identifier with CleanSession 0", () => {
		expect(() => encode(connect({ clientId: "", cleanSession: false }))).toThrow("[MQTT-3.1.3-7]");
		expect(encode(connect({ clientId: "" }))).toHaveLength(14);
	});

	it("[MQTT-3.1.3-4] [MQTT-3.1.3-11] refuses a client identifier or user name that is no UTF-8", () => {
		expect(() => encode(connect({ clientId: "\udfff" }))).toThrow("[MQTT-1.5.3-1]");
		expect(() => encode(connect({ username: "\udfff" }))).toThrow("[MQTT-1.5.3-1]");
	});

	it("refuses CONNECT fields over 65,535 bytes and a keep alive over 65,535 s, and shows no secret", () => {
		const long = Buffer.alloc(65_536, "s");
		expect(() => encode(connect({ clientId: long.toString() }))).toThrow(
			"CONNECT client identifier is longer than 65535 bytes",
		);
		expect(() => encode(connect({ username: "u", password: long }))).toThrow(
			/^CONNECT password is longer than 65535 bytes \[3\.1\.3\.5\]$/,
		);
		expect(() => encode(connect({ will: { ...will, payload: long } }))).toThrow("[3.1.3.3]");
		expect(() => encode(connect({ keepAlive: 65_536 }))).toThrow("[3.1.2.10]");
	});

	it("[MQTT-3.8.3-1] [MQTT-3.10.3-1] refuses filters that are no UTF-8 or no filter", () => {
		for (const filter of ["\ud800", "", "a#"]) {
			expect(() => encode({ type: "subscribe", packetId: 1, subscriptions: [{ filter, qos: 0 }] })).toThrow(
				"SUBSCRIBE topic filter",
			);
			expect(() => encode({ type: "unsubscribe", packetId: 1, filters: [filter] })).toThrow("UNSUBSCRIBE topic filter");
		}
	});

	it("[MQTT-3.8.3-3] [MQTT-3.10.3-2] refuses SUBSCRIBE and UNSUBSCRIBE without a filter", () => {
		expect(() => encode({ type: "subscribe", packetId: 1, subscriptions: [] })).toThrow("[MQTT-3.8.3-3]");
		expect(() => encode({ type: "unsubscribe", packetId: 1, filters: [] })).toThrow("[MQTT-3.10.3-2]");
	});

	it("[MQTT-3.8.3-4] refuses a requested QoS over 2 and leaves the reserved bits 0", () => {
		for (const qos of [0, 1, 2] as const) {
			expect(hex({ type: "subscribe", packetId: 1, subscriptions: [{ filter: "a", qos }] })).toBe(
				`820600010001610${qos}`,
			);
		}
		expect(() => encode({ type: "subscribe", packetId: 1, subscriptions: [{ filter: "a", qos: 3 as QoS }] })).toThrow(
			"[MQTT-3.8.3-4]",
		);
	});
});

describe("the hot path", () => {
	it.each(["t", "devices/abc/temperature", "温度/😀", "x".repeat(20_000)])(
		"writes a PUBLISH to %s like encode()",
		(topic) => {
			for (const qos of [0, 1, 2] as const) {
				const packet = publish({
					topic,
					qos,
					packetId: qos === 0 ? 0 : 0xabcd,
					retain: qos === 1,
					dup: qos === 2,
					payload: Buffer.alloc(150),
				});
				const { payload, packetId, retain, dup } = packet;
				const bytes = Buffer.from(topic);
				const size = publishSize(bytes.length, payload.length, qos);
				for (const written of [topic, bytes]) {
					const target = Buffer.alloc(size + 6, 0xee);
					const end = writePublishHeader(target, 3, written, bytes.length, payload.length, packetId, qos, retain, dup);
					expect(end).toBe(3 + size - payload.length);
					target.set(payload, end);
					expect(target).toEqual(Buffer.concat([Buffer.alloc(3, 0xee), encode(packet), Buffer.alloc(3, 0xee)]));
				}
			}
		},
	);

	it.each(["pubAck", "pubRec", "pubRel", "pubComp"] as const)("writes a %s like encode()", (type) => {
		const target = Buffer.alloc(8, 0xee);
		expect(writeAck(target, 2, type, 0xfedc)).toBe(6);
		expect(target).toEqual(
			Buffer.concat([Buffer.alloc(2, 0xee), encode({ type, packetId: 0xfedc }), Buffer.alloc(2, 0xee)]),
		);
	});
});
