import { MqttProtocolError } from "../errors.js";
import { firstByte, publishFirstByte } from "./fixed-header.js";
import { type ConnectPacket, PACKET_TYPE, type Packet, type PublishPacket, type QoS } from "./packet.js";
import { checkPacket } from "./packet-rules.js";
import { MAX_REMAINING_LENGTH, remainingLengthSize, writeRemainingLength } from "./remaining-length.js";

/** Encodes one packet. Throws MqttProtocolError for whatever MQTT 3.1.1 forbids to send. */
export function encode(packet: Packet): Buffer {
	checkPacket(packet);
	switch (packet.type) {
		case "connect":
			return whole(packet.type, connectFields(packet));
		case "connAck":
			return whole(packet.type, [Buffer.of(packet.sessionPresent ? 1 : 0, packet.returnCode)]);
		case "publish":
			return encodePublish(packet);
		case "pubAck":
		case "pubRec":
		case "pubRel":
		case "pubComp":
		case "unsubAck":
			return whole(packet.type, [uint16(packet.packetId)]);
		case "subscribe": {
			const filters = packet.subscriptions.flatMap(({ filter, qos }) => [field(filter), Buffer.of(qos)]);
			return whole(packet.type, [uint16(packet.packetId), ...filters]);
		}
		case "subAck":
			return whole(packet.type, [uint16(packet.packetId), Buffer.from(packet.returnCodes)]);
		case "unsubscribe":
			return whole(packet.type, [uint16(packet.packetId), ...packet.filters.map(field)]);
		case "pingReq":
		case "pingResp":
		case "disconnect":
			return whole(packet.type, []);
	}
}

/** The size of a whole PUBLISH, in bytes. `topicLength` is in UTF-8 bytes. */
export function publishSize(topicLength: number, payloadLength: number, qos: QoS): number {
	const remaining = publishRemaining(topicLength, payloadLength, qos);
	return 1 + remainingLengthSize(remaining) + remaining;
}

/**
 * Writes a PUBLISH up to its payload and returns the offset where that begins. For the hot path: the caller has checked
 * topic, identifier and flags, and `target` has room; `topicLength` is in UTF-8 bytes; `packetId` is not written with QoS 0.
 */
export function writePublishHeader(
	target: Buffer,
	offset: number,
	topic: Uint8Array | string,
	topicLength: number,
	payloadLength: number,
	packetId: number,
	qos: QoS,
	retain: boolean,
	dup: boolean,
): number {
	target[offset] = publishFirstByte(qos, retain, dup);
	let at = writeRemainingLength(target, offset + 1, publishRemaining(topicLength, payloadLength, qos));
	at = writeUint16(target, at, topicLength);
	writeTopic(target, at, topic, topicLength);
	at += topicLength;
	return qos === 0 ? at : writeUint16(target, at, packetId); // [MQTT-2.3.1-5]
}

/** Writes an acknowledgement of 4 bytes and returns the offset behind it. The caller has checked the identifier; `target` has room. */
export function writeAck(
	target: Buffer,
	offset: number,
	type: "pubAck" | "pubRec" | "pubRel" | "pubComp",
	packetId: number,
): number {
	target[offset] = firstByte(PACKET_TYPE[type]);
	target[offset + 1] = 2;
	return writeUint16(target, offset + 2, packetId);
}

function writeTopic(target: Buffer, offset: number, topic: Uint8Array | string, length: number): void {
	if (typeof topic !== "string") {
		target.set(topic, offset);
	} else if (topic.length === length) {
		// ASCII, and mostly short: cheaper than a call of write().
		for (let i = 0; i < length; i++) target[offset + i] = topic.charCodeAt(i);
	} else {
		target.write(topic, offset, length, "utf8");
	}
}

function publishRemaining(topicLength: number, payloadLength: number, qos: QoS): number {
	return 2 + topicLength + (qos === 0 ? 0 : 2) + payloadLength;
}

function encodePublish({ topic, payload, qos, retain, dup, packetId }: PublishPacket): Buffer {
	const topicLength = Buffer.byteLength(topic);
	checkRemaining(publishRemaining(topicLength, payload.length, qos));
	const target = Buffer.allocUnsafe(publishSize(topicLength, payload.length, qos));
	const at = writePublishHeader(target, 0, topic, topicLength, payload.length, packetId, qos, retain, dup);
	target.set(payload, at);
	return target;
}

function connectFields({ clientId, cleanSession, keepAlive, username, password, will }: ConnectPacket): Buffer[] {
	// [MQTT-3.1.2-11] The will's flags are 0 when there is none; bit 0 is reserved [MQTT-3.1.2-3].
	const willFlags = will === undefined ? 0 : 0x04 | (will.qos << 3) | (will.retain ? 0x20 : 0);
	const flags =
		willFlags | (cleanSession ? 0x02 : 0) | (password === undefined ? 0 : 0x40) | (username === undefined ? 0 : 0x80);
	// [MQTT-3.1.3-1] The order of the payload's fields.
	const fields = [field("MQTT"), Buffer.of(4, flags), uint16(keepAlive), field(clientId)];
	if (will !== undefined) fields.push(field(will.topic), field(will.payload));
	if (username !== undefined) fields.push(field(username));
	if (password !== undefined) fields.push(field(password));
	return fields;
}

function whole(type: Packet["type"], fields: readonly Buffer[]): Buffer {
	const remaining = fields.reduce((sum, { length }) => sum + length, 0);
	checkRemaining(remaining);
	const header = Buffer.alloc(1 + remainingLengthSize(remaining));
	header[0] = firstByte(PACKET_TYPE[type]);
	writeRemainingLength(header, 1, remaining);
	return Buffer.concat([header, ...fields]);
}

function checkRemaining(remaining: number): void {
	if (remaining > MAX_REMAINING_LENGTH) {
		throw new MqttProtocolError(
			"2.2.3",
			`packet with remaining length ${remaining}, more than ${MAX_REMAINING_LENGTH}`,
		);
	}
}

/** A string or binary field with its length in front. */
function field(value: string | Uint8Array): Buffer {
	const bytes = Buffer.from(value as string);
	return Buffer.concat([uint16(bytes.length), bytes]);
}

function uint16(value: number): Buffer {
	return Buffer.of(value >> 8, value & 0xff);
}

function writeUint16(target: Buffer, offset: number, value: number): number {
	target[offset] = value >> 8;
	target[offset + 1] = value & 0xff;
	return offset + 2;
}
