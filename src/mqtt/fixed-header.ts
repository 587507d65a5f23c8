import { MqttProtocolError } from "../errors.js";
import { PACKET_TYPE } from "./packet.js";

/** Each packet's name in the standard, by its type number. */
export const PACKET_NAMES = [
	"packet of reserved type 0",
	"CONNECT",
	"CONNACK",
	"PUBLISH",
	"PUBACK",
	"PUBREC",
	"PUBREL",
	"PUBCOMP",
	"SUBSCRIBE",
	"SUBACK",
	"UNSUBSCRIBE",
	"UNSUBACK",
	"PINGREQ",
	"PINGRESP",
	"DISCONNECT",
	"packet of reserved type 15",
] as const;

const EITHER =
	(1 << PACKET_TYPE.publish) |
	(1 << PACKET_TYPE.pubAck) |
	(1 << PACKET_TYPE.pubRec) |
	(1 << PACKET_TYPE.pubRel) |
	(1 << PACKET_TYPE.pubComp);
const CLIENT =
	EITHER |
	(1 << PACKET_TYPE.connect) |
	(1 << PACKET_TYPE.subscribe) |
	(1 << PACKET_TYPE.unsubscribe) |
	(1 << PACKET_TYPE.pingReq) |
	(1 << PACKET_TYPE.disconnect);
const SERVER =
	EITHER |
	(1 << PACKET_TYPE.connAck) |
	(1 << PACKET_TYPE.subAck) |
	(1 << PACKET_TYPE.unsubAck) |
	(1 << PACKET_TYPE.pingResp);

/** Table 2.1: the packet types that each side may send, as a set of bits. */
export const SENT_BY = { client: CLIENT, server: SERVER, any: CLIENT | SERVER } as const;

const PUBLISH = PACKET_TYPE.publish << 4;
/** [MQTT-2.2.2-1] Table 2.2: the types whose flags are 0010; for all others but PUBLISH they are 0000. */
const FLAGGED = (1 << PACKET_TYPE.pubRel) | (1 << PACKET_TYPE.subscribe) | (1 << PACKET_TYPE.unsubscribe);

/** The statements that say it for one type; [MQTT-2.2.2-2] for all. */
const FLAGS_CLAUSE: Readonly<Record<number, string>> = {
	[PACKET_TYPE.pubRel]: "MQTT-3.6.1-1",
	[PACKET_TYPE.subscribe]: "MQTT-3.8.1-1",
	[PACKET_TYPE.unsubscribe]: "MQTT-3.10.1-1",
	[PACKET_TYPE.disconnect]: "MQTT-3.14.1-1",
};

/** A packet's first byte, except PUBLISH's, whose flags vary. */
export function firstByte(type: number): number {
	return (type << 4) | (((FLAGGED >> type) & 1) << 1);
}

/** Throws MqttProtocolError unless the byte begins a packet of one of the types in `legal`. */
export function checkFirstByte(first: number, legal: number): void {
	const type = first >> 4;
	if (((legal >> type) & 1) === 0) throwIllegalType(type);
	if (type !== PACKET_TYPE.publish) {
		if (first !== firstByte(type)) throwWrongFlags(first);
	} else if ((first & 0x06) === 0x06) {
		throw new MqttProtocolError("MQTT-3.3.1-4", "PUBLISH with QoS 3");
	} else if ((first & 0x0e) === 0x08) {
		// Also [MQTT-4.3.1-1].
		throw new MqttProtocolError("MQTT-3.3.1-2", "PUBLISH with DUP 1 and QoS 0");
	}
}

/** PUBLISH's first byte. */
export function publishFirstByte(qos: number, retain: boolean, dup: boolean): number {
	return PUBLISH | (dup ? 0x08 : 0) | (qos << 1) | (retain ? 0x01 : 0);
}

/** The Remaining Length of types that have but one; undefined for the others. */
export function fixedLength(type: number): number | undefined {
	switch (type) {
		case PACKET_TYPE.connAck:
		case PACKET_TYPE.pubAck:
		case PACKET_TYPE.pubRec:
		case PACKET_TYPE.pubRel:
		case PACKET_TYPE.pubComp:
		case PACKET_TYPE.unsubAck:
			return 2;
		case PACKET_TYPE.pingReq:
		case PACKET_TYPE.pingResp:
		case PACKET_TYPE.disconnect:
			return 0;
		default:
			return undefined;
	}
}

/** The Remaining Length does not fit what it covers. The section that defines it is 3.<type>.1 for every type. */
export function lengthError(type: number, problem: string): MqttProtocolError {
	return new MqttProtocolError(`3.${type}.1`, `${PACKET_NAMES[type]} ${problem}`);
}

function throwIllegalType(type: number): never {
	const problem = type === 0 || type === 15 ? "" : ", which this side may not send";
	throw new MqttProtocolError("2.2.1", `${PACKET_NAMES[type]}${problem}`);
}

function throwWrongFlags(first: number): never {
	const type = first >> 4;
	const flags = (first & 0x0f).toString(2).padStart(4, "0");
	throw new MqttProtocolError(FLAGS_CLAUSE[type] ?? "MQTT-2.2.2-2", `${PACKET_NAMES[type]} with flags ${flags}`);
}
