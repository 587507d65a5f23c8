import { MqttProtocolError } from "../errors.js";
import { BodyReader } from "./body-reader.js";
import {
	type ConnAckPacket,
	type ConnectPacket,
	PACKET_TYPE,
	type Packet,
	type QoS,
	type Subscription,
} from "./packet.js";
import { checkPacket } from "./packet-rules.js";

/** Decodes the body of one whole packet other than PUBLISH, whose fixed header is checked. Keeps no view of `bytes`. Throws MqttProtocolError. */
export function decodeControl(type: number, bytes: Buffer, start: number, end: number): Packet {
	// PUBACKs come as often as publishes leave: no reader for them.
	if (type === PACKET_TYPE.pubAck) return { type: "pubAck", packetId: ackedId(bytes, start) };
	const reader = new BodyReader(bytes, type, start, end);
	const packet = readPacket(type, reader);
	reader.finish();
	checkPacket(packet);
	return packet;
}

function ackedId(bytes: Buffer, at: number): number {
	const packetId = (bytes[at]! << 8) | bytes[at + 1]!;
	if (packetId === 0) throw new MqttProtocolError("MQTT-2.3.1-6", "PUBACK with packet identifier 0");
	return packetId;
}

function readPacket(type: number, reader: BodyReader): Packet {
	switch (type) {
		case PACKET_TYPE.connect:
			return readConnect(reader);
		case PACKET_TYPE.connAck:
			return readConnAck(reader);
		case PACKET_TYPE.pubRec:
			return { type: "pubRec", packetId: reader.uint16() };
		case PACKET_TYPE.pubRel:
			return { type: "pubRel", packetId: reader.uint16() };
		case PACKET_TYPE.pubComp:
			return { type: "pubComp", packetId: reader.uint16() };
		case PACKET_TYPE.subscribe:
			return { type: "subscribe", packetId: reader.uint16(), subscriptions: untilEnd(reader, readSubscription) };
		case PACKET_TYPE.subAck:
			return { type: "subAck", packetId: reader.uint16(), returnCodes: untilEnd(reader, (r) => r.byte()) };
		case PACKET_TYPE.unsubscribe:
			return { type: "unsubscribe", packetId: reader.uint16(), filters: untilEnd(reader, (r) => r.string()) };
		case PACKET_TYPE.unsubAck:
			return { type: "unsubAck", packetId: reader.uint16() };
		case PACKET_TYPE.pingReq:
			return { type: "pingReq" };
		case PACKET_TYPE.pingResp:
			return { type: "pingResp" };
		default:
			return { type: "disconnect" };
	}
}

function readConnect(reader: BodyReader): ConnectPacket {
	const name = reader.string();
	if (name !== "MQTT") throw new MqttProtocolError("MQTT-3.1.2-1", "CONNECT of another protocol");
	const level = reader.byte();
	if (level !== 4) throw new MqttProtocolError("MQTT-3.1.2-2", `CONNECT with protocol level ${level}`);
	const flags = reader.byte();
	if ((flags & 0x01) !== 0) throw new MqttProtocolError("MQTT-3.1.2-3", "CONNECT with its reserved flag set");
	const hasWill = (flags & 0x04) !== 0;
	const willQoS = (flags >> 3) & 0x03;
	const willRetain = (flags & 0x20) !== 0;
	// [MQTT-3.1.2-11] Without a will, its flags are 0 too.
	if (!hasWill && willQoS !== 0) throw new MqttProtocolError("MQTT-3.1.2-13", "CONNECT with a will QoS but no will");
	if (!hasWill && willRetain) throw new MqttProtocolError("MQTT-3.1.2-15", "CONNECT with will retain but no will");
	const keepAlive = reader.uint16();
	// [MQTT-3.1.3-1] The order of the payload's fields; [MQTT-3.1.3-3] the client identifier comes first.
	const clientId = reader.string();
	// [MQTT-3.1.2-9] With the will flag, both will fields are there.
	const will = hasWill
		? { topic: reader.string(), payload: reader.binary(), qos: willQoS as QoS, retain: willRetain }
		: undefined;
	// [MQTT-3.1.2-18] [MQTT-3.1.2-19] [MQTT-3.1.2-20] [MQTT-3.1.2-21] Each is there exactly when its flag says so.
	const username = (flags & 0x80) !== 0 ? reader.string() : undefined;
	const password = (flags & 0x40) !== 0 ? reader.binary() : undefined;
	return { type: "connect", clientId, cleanSession: (flags & 0x02) !== 0, keepAlive, username, password, will };
}

function readConnAck(reader: BodyReader): ConnAckPacket {
	const flags = reader.byte();
	if (flags > 1) throw new MqttProtocolError("3.2.2.1", `CONNACK with acknowledge flags ${flags}`);
	return { type: "connAck", sessionPresent: flags === 1, returnCode: reader.byte() };
}

function readSubscription(reader: BodyReader): Subscription {
	// [MQTT-3.8.3-4] Six reserved bits and the QoS: checkPacket allows but 0, 1 and 2 for the whole byte.
	return { filter: reader.string(), qos: reader.byte() as QoS };
}

function untilEnd<T>(reader: BodyReader, read: (reader: BodyReader) => T): T[] {
	const items: T[] = [];
	while (!reader.isAtEnd) items.push(read(reader));
	return items;
}
