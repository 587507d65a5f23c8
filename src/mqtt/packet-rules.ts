import { MqttProtocolError } from "../errors.js";
import type {
	ConnAckPacket,
	ConnectPacket,
	Packet,
	PublishPacket,
	SubAckPacket,
	SubscribePacket,
	UnsubscribePacket,
} from "./packet.js";
import { publishTopicFault, topicFilterFault, topicNameFault } from "./topic.js";
import { type Fault, MAX_FIELD_BYTES, stringFault } from "./utf8.js";

/**
 * Throws MqttProtocolError unless MQTT 3.1.1 allows a packet of this content. The encoder asks before it writes and the
 * decoder after it has read (all but PUBLISH, whose parts it checks as they arrive): neither takes what the other refuses.
 */
export function checkPacket(packet: Packet): void {
	switch (packet.type) {
		case "connect":
			checkConnect(packet);
			break;
		case "connAck":
			checkConnAck(packet);
			break;
		case "publish":
			checkPublish(packet);
			break;
		case "pubAck":
		case "pubRec":
		case "pubRel":
		case "pubComp":
			checkPacketId(packet, "MQTT-2.3.1-6");
			break;
		case "subscribe":
			checkSubscribe(packet);
			break;
		case "subAck":
			checkSubAck(packet);
			break;
		case "unsubscribe":
			checkUnsubscribe(packet);
			break;
		case "unsubAck":
			checkPacketId(packet, "MQTT-2.3.1-7");
			break;
		case "pingReq":
		case "pingResp":
		case "disconnect":
			break;
	}
}

function checkConnect({ clientId, cleanSession, keepAlive, username, password, will }: ConnectPacket): void {
	refuse(stringFault(clientId), "CONNECT client identifier"); // [MQTT-3.1.3-4]
	if (clientId === "" && !cleanSession) {
		fail("MQTT-3.1.3-7", "CONNECT with an empty client identifier and CleanSession 0");
	}
	if (!isUint16(keepAlive)) fail("3.1.2.10", `CONNECT with keep alive ${keepAlive}`);
	if (username !== undefined) refuse(stringFault(username), "CONNECT user name"); // [MQTT-3.1.3-11]
	if (password !== undefined) {
		if (username === undefined) fail("MQTT-3.1.2-22", "CONNECT with a password but no user name");
		if (password.length > MAX_FIELD_BYTES) fail("3.1.3.5", `CONNECT password is longer than ${MAX_FIELD_BYTES} bytes`);
	}
	if (will === undefined) return;
	if (!isQoS(will.qos)) fail("MQTT-3.1.2-14", `CONNECT with will QoS ${will.qos}`);
	refuse(topicNameFault(will.topic), "CONNECT will topic"); // [MQTT-3.1.3-10]
	if (will.payload.length > MAX_FIELD_BYTES) {
		fail("3.1.3.3", `CONNECT will message is longer than ${MAX_FIELD_BYTES} bytes`);
	}
}

function checkConnAck({ sessionPresent, returnCode }: ConnAckPacket): void {
	if (!isUint16(returnCode) || returnCode > 5) fail("3.2.2.3", `CONNACK with the reserved return code ${returnCode}`);
	if (returnCode !== 0 && sessionPresent) {
		fail("MQTT-3.2.2-4", `CONNACK with session present and return code ${returnCode}`);
	}
}

function checkPublish(packet: PublishPacket): void {
	const { topic, payload, payloadSize, qos, dup, packetId } = packet;
	if (!isQoS(qos)) fail("MQTT-3.3.1-4", `PUBLISH with QoS ${qos}`);
	if (dup && qos === 0) fail("MQTT-3.3.1-2", "PUBLISH with DUP 1 and QoS 0"); // Also [MQTT-4.3.1-1].
	if (qos > 0) checkPacketId(packet, "MQTT-2.3.1-1");
	else if (packetId !== 0) fail("MQTT-2.3.1-5", `PUBLISH with QoS 0 and packet identifier ${packetId}`);
	refuse(publishTopicFault(topic), "PUBLISH topic");
	if (payloadSize !== payload.length) fail("3.3.3", `PUBLISH with ${payload.length} of ${payloadSize} payload bytes`);
}

function checkSubscribe(packet: SubscribePacket): void {
	checkPacketId(packet, "MQTT-2.3.1-1");
	if (packet.subscriptions.length === 0) fail("MQTT-3.8.3-3", "SUBSCRIBE without a topic filter");
	for (const { filter, qos } of packet.subscriptions) {
		refuse(topicFilterFault(filter), "SUBSCRIBE topic filter"); // [MQTT-3.8.3-1]
		if (!isQoS(qos)) fail("MQTT-3.8.3-4", `SUBSCRIBE with requested QoS ${qos}`);
	}
}

function checkSubAck(packet: SubAckPacket): void {
	checkPacketId(packet, "MQTT-2.3.1-7");
	if (packet.returnCodes.length === 0) fail("MQTT-3.8.4-5", "SUBACK without a return code");
	for (const code of packet.returnCodes) {
		if (!isQoS(code) && code !== 0x80) fail("MQTT-3.9.3-2", `SUBACK with the reserved return code ${code}`);
	}
}

function checkUnsubscribe(packet: UnsubscribePacket): void {
	checkPacketId(packet, "MQTT-2.3.1-1");
	if (packet.filters.length === 0) fail("MQTT-3.10.3-2", "UNSUBSCRIBE without a topic filter");
	for (const filter of packet.filters) refuse(topicFilterFault(filter), "UNSUBSCRIBE topic filter"); // [MQTT-3.10.3-1]
}

function checkPacketId({ type, packetId }: { readonly type: string; readonly packetId: number }, clause: string): void {
	if (!isUint16(packetId) || packetId === 0) fail(clause, `${type.toUpperCase()} with packet identifier ${packetId}`);
}

function refuse(fault: Fault | undefined, what: string): void {
	if (fault !== undefined) fail(fault.clause, `${what} ${fault.reason}`);
}

function fail(clause: string, message: string): never {
	throw new MqttProtocolError(clause, message);
}

function isUint16(value: number): boolean {
	return Number.isInteger(value) && value >= 0 && value <= 0xffff;
}

function isQoS(value: number): boolean {
	return value === 0 || value === 1 || value === 2;
}
