/** Quality of Service of a message or a subscription. */
export type QoS = 0 | 1 | 2;

/** An Application Message, as published or received. */
export interface ApplicationMessage {
	/** Topic Name; never holds wildcards. */
	readonly topic: string;
	/** The payload, byte for byte. */
	readonly payload: Uint8Array;
	readonly qos: QoS;
	/** RETAIN: outbound, store it; inbound, it was stored before we subscribed. */
	readonly retain: boolean;
}

/** One Topic Filter and the highest QoS wanted for it. */
export interface Subscription {
	/** Topic Filter; may hold `+`, `#` and a `$share/<group>/` prefix. */
	readonly filter: string;
	readonly qos: QoS;
}

/** The message that the broker publishes for us when the connection ends without DISCONNECT. */
export interface Will extends ApplicationMessage {}

export interface ConnectPacket {
	readonly type: "connect";
	readonly clientId: string;
	readonly cleanSession: boolean;
	/** Seconds, 0 to 65,535. */
	readonly keepAlive: number;
	readonly username?: string | undefined;
	readonly password?: Uint8Array | undefined;
	readonly will?: Will | undefined;
}
export interface ConnAckPacket {
	readonly type: "connAck";
	readonly sessionPresent: boolean;
	/** 0 accepted, 1 to 5 refused. */
	readonly returnCode: number;
}
export interface PublishPacket extends ApplicationMessage {
	readonly type: "publish";
	readonly dup: boolean;
	/** 1 to 65,535; 0 with QoS 0, which has none [MQTT-2.3.1-5]. */
	readonly packetId: number;
	/** The payload's size on the wire, in bytes. Differs from `payload.length` only when the decoder skipped the payload. */
	readonly payloadSize: number;
	/** The decoder was told to skip the payload: `payload` is empty, `payloadSize` says how much there was. */
	readonly skipped: boolean;
}
export interface PubAckPacket {
	readonly type: "pubAck";
	readonly packetId: number;
}
export interface PubRecPacket {
	readonly type: "pubRec";
	readonly packetId: number;
}
export interface PubRelPacket {
	readonly type: "pubRel";
	readonly packetId: number;
}
export interface PubCompPacket {
	readonly type: "pubComp";
	readonly packetId: number;
}
export interface SubscribePacket {
	readonly type: "subscribe";
	readonly packetId: number;
	readonly subscriptions: readonly Subscription[];
}
export interface SubAckPacket {
	readonly type: "subAck";
	readonly packetId: number;
	/** One per filter, in order: the granted QoS, or 0x80 for a refusal. */
	readonly returnCodes: readonly number[];
}
export interface UnsubscribePacket {
	readonly type: "unsubscribe";
	readonly packetId: number;
	readonly filters: readonly string[];
}
export interface UnsubAckPacket {
	readonly type: "unsubAck";
	readonly packetId: number;
}
export interface PingReqPacket {
	readonly type: "pingReq";
}
export interface PingRespPacket {
	readonly type: "pingResp";
}
export interface DisconnectPacket {
	readonly type: "disconnect";
}

/** The 14 control packets of MQTT 3.1.1. */
export type Packet =
	| ConnectPacket
	| ConnAckPacket
	| PublishPacket
	| PubAckPacket
	| PubRecPacket
	| PubRelPacket
	| PubCompPacket
	| SubscribePacket
	| SubAckPacket
	| UnsubscribePacket
	| UnsubAckPacket
	| PingReqPacket
	| PingRespPacket
	| DisconnectPacket;

/** The first four bits of the fixed header, by packet type (2.2.1). */
export const PACKET_TYPE = {
	connect: 1,
	connAck: 2,
	publish: 3,
	pubAck: 4,
	pubRec: 5,
	pubRel: 6,
	pubComp: 7,
	subscribe: 8,
	subAck: 9,
	unsubscribe: 10,
	unsubAck: 11,
	pingReq: 12,
	pingResp: 13,
	disconnect: 14,
} as const satisfies Record<Packet["type"], number>;
