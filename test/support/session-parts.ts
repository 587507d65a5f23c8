import type { Delivery } from "../../src/mqtt/delivery.js";
import { type DeliveryListener, Inbound, type InboundOptions } from "../../src/mqtt/inbound.js";
import type { OutboundPublish } from "../../src/mqtt/outbound.js";
import type { PublishPacket, QoS } from "../../src/mqtt/packet.js";
import type { SessionSink } from "../../src/mqtt/session.js";

/** A PUBLISH as the decoder hands it over: QoS 1, topic `t`, identifier 1 unless told otherwise. */
export function received(text: string, fields: Partial<PublishPacket> = {}): PublishPacket {
	const payload = Buffer.from(text);
	return {
		type: "publish",
		topic: "t",
		payload,
		qos: 1,
		retain: false,
		dup: false,
		packetId: fields.qos === 0 ? 0 : 1,
		payloadSize: payload.length,
		skipped: false,
		...fields,
	};
}

/** A PUBLISH whose payload was not read. */
export function unread(payloadSize: number, fields: Partial<PublishPacket> = {}): PublishPacket {
	return received("", { payloadSize, skipped: true, ...fields });
}

/** The receiving half of a session with somebody who notes what it tells, and plays the app's part by hand. */
export class InboundRecorder implements DeliveryListener {
	readonly inbound: Inbound;
	/** What was told, in order: `delivered a`, `adopted a`, `died a`, `orphaned`. */
	readonly events: string[] = [];
	/** Every delivery made, by the order of arrival. */
	readonly deliveries: Delivery[] = [];

	constructor(options: Partial<InboundOptions> = {}) {
		this.inbound = new Inbound(
			{ strict: false, maxBuffered: 1_000_000, maxPayloadSize: 1_000, delivers: true, ...options },
			this,
		);
		this.inbound.connected(false);
	}

	delivered(delivery: Delivery): void {
		this.deliveries.push(delivery);
		this.events.push(`delivered ${textOf(delivery)}`);
	}

	adopted(delivery: Delivery): void {
		this.events.push(`adopted ${textOf(delivery)}`);
	}

	orphaned(): void {
		this.events.push("orphaned");
	}

	died(delivery: Delivery): void {
		this.events.push(`died ${textOf(delivery)}`);
	}

	/** Asks for room as the decoder does, takes the PUBLISH in, and returns the delivery that it made, if it made one. */
	receive(packet: PublishPacket): Delivery | undefined {
		const before = this.deliveries.length;
		const isAdmitted = this.inbound.admit(packet);
		this.inbound.receive(isAdmitted ? packet : { ...packet, payload: Buffer.alloc(0), skipped: true });
		return this.deliveries[before];
	}

	/** Receives a message with an identifier; fails unless that makes a delivery. */
	deliver(text: string, packetId: number, fields: Partial<PublishPacket> = {}): Delivery {
		const delivery = this.receive(received(text, { packetId, ...fields }));
		if (delivery === undefined) throw new Error(`${text} was not delivered`);
		return delivery;
	}

	/** The connection ends and the next one is accepted. */
	reconnect({ resumed = true, stable = false } = {}): void {
		this.inbound.disconnected(stable);
		this.inbound.connected(resumed);
	}

	/** What leaves now: `pubAck 1`, `pubRec 1`. */
	acks(): string[] {
		const acks: string[] = [];
		this.inbound.takeAcks((type, packetId) => acks.push(`${type} ${packetId}`));
		return acks;
	}

	/** The events since the last call. */
	news(): string[] {
		return this.events.splice(0);
	}
}

/** The app has it. */
export function start(delivery: Delivery): Delivery {
	delivery.started = true;
	delivery.running = true;
	delivery.stage = "at-app";
	return delivery;
}

/** The app's answer. */
export function end(delivery: Delivery, isAccepted: boolean): void {
	delivery.running = false;
	if (isAccepted) {
		delivery.stage = "settled";
		delivery.ack();
	} else {
		delivery.attempts++;
		delivery.stage = "between";
		delivery.passOver();
	}
}

export function textOf({ packet }: Delivery): string {
	return packet.skipped ? `(${packet.payloadSize} bytes)` : Buffer.from(packet.payload).toString();
}

/** A publish with a note of how it ended. */
export type NotedPublish = OutboundPublish & { outcome: string | undefined };

/** A publish as the client makes it; `outcome` becomes `done` or the error's message. */
export function toPublish(text: string, qos: QoS = 1, fields: Partial<OutboundPublish> = {}): NotedPublish {
	const publish: NotedPublish = {
		topic: "t",
		topicLength: 1,
		payload: Buffer.from(text),
		qos,
		retain: false,
		deadline: Number.POSITIVE_INFINITY,
		settle: (error) => {
			publish.outcome = publish.outcome === undefined ? (error?.message ?? "done") : "settled twice";
		},
		packetId: 0,
		dup: false,
		written: false,
		settled: false,
		ends: 0,
		order: 0,
		outcome: undefined,
		...fields,
	};
	return publish;
}

/** Takes what a session writes as lines: `publish a 2`, `publish a 2 dup`, `pubRel 1`; takes `room` packets, then says that it is full. */
export class SinkRecorder implements SessionSink {
	readonly lines: string[] = [];
	room = Number.POSITIVE_INFINITY;

	ack(type: string, packetId: number): boolean {
		return this.#note(`${type} ${packetId}`);
	}

	publish({ payload, packetId, dup }: OutboundPublish): boolean {
		return this.#note(`publish ${Buffer.from(payload)} ${packetId}${dup ? " dup" : ""}`);
	}

	/** What was written since the last call. */
	take(): string[] {
		return this.lines.splice(0);
	}

	#note(line: string): boolean {
		this.lines.push(line);
		return --this.room > 0;
	}
}
