import { MqttProtocolError } from "../errors.js";
import { type DeliveryListener, Inbound, type InboundOptions } from "./inbound.js";
import { Outbound, type OutboundPublish } from "./outbound.js";
import type { Packet } from "./packet.js";
import { QOS2_PACKET_ID } from "./qos2-handshake.js";

/** Takes what the session wants written. Each returns false when the connection takes no more for now; the packet at hand was taken. */
export interface SessionSink {
	ack(type: "pubAck" | "pubRec" | "pubRel" | "pubComp", packetId: number): boolean;
	publish(publish: OutboundPublish): boolean;
}

/**
 * Session state: what outlives a Network Connection [MQTT-4.1.0-1] [MQTT-4.1.0-2]. Pure: packets in, packets out through a sink; no sockets, no
 * timers, no promises.
 */
export class MqttSession {
	readonly inbound: Inbound;
	readonly outbound = new Outbound();
	/** Identifiers whose PUBREL came: PUBCOMP is due. A set, so that a broker that does not read can't make it grow. */
	readonly #released = new Set<number>();
	#acksDue = false;
	/** Answers to publishes that nobody made, or that were answered before. */
	unexpected = 0;
	/** Called when write() has something to say that it did not have before. */
	onOutput: () => void = () => {};

	constructor(options: InboundOptions, listener: DeliveryListener) {
		this.inbound = new Inbound(options, listener);
		this.inbound.onAckReady = () => {
			if (this.#acksDue) return;
			this.#acksDue = true;
			this.onOutput();
		};
	}

	/**
	 * A CONNACK with return code 0 was read. `resumed`: the broker kept the session, and it is that of the connection before.
	 * `isOtherBroker`: that one was to another broker, whose session is no business of this one.
	 */
	connected(resumed: boolean, isOtherBroker = false): void {
		this.outbound.connected(resumed, isOtherBroker);
		this.inbound.connected(resumed);
	}

	/** The Network Connection is gone. `stable`: it was online long enough for all redeliveries to arrive. `byBroker`: the broker ended it. */
	disconnected(stable: boolean, byBroker = false): void {
		this.#released.clear();
		this.#acksDue = false;
		this.outbound.disconnected(byBroker);
		this.inbound.disconnected(stable);
	}

	/** Takes in one packet of the publish handshakes. Throws MqttProtocolError when the broker breaks them. */
	receive(packet: Packet): void {
		switch (packet.type) {
			case "publish":
				this.inbound.receive(packet);
				return;
			case "pubAck":
				if (packet.packetId === QOS2_PACKET_ID && this.outbound.inHandshake) {
					throw new MqttProtocolError("MQTT-4.3.3-1", `PUBACK ${packet.packetId} for a QoS 2 publish`);
				}
				if (!this.outbound.acknowledged(packet.packetId)) this.unexpected++;
				return;
			case "pubRec":
				if (this.outbound.awaitsPubAck(packet.packetId)) {
					throw new MqttProtocolError("MQTT-4.3.2-1", `PUBREC ${packet.packetId} for a QoS 1 publish`);
				}
				if (this.outbound.received(packet.packetId)) this.onOutput();
				else this.unexpected++;
				return;
			case "pubComp":
				if (this.outbound.completed(packet.packetId)) this.onOutput();
				else this.unexpected++;
				return;
			case "pubRel":
				this.inbound.released(packet.packetId);
				this.#released.add(packet.packetId);
				this.onOutput();
				return;
			default:
				throw new MqttProtocolError("MQTT-4.8.0-1", `${packet.type} packet from the broker`);
		}
	}

	/** True when write() would have something to say. */
	get hasOutput(): boolean {
		return this.#acksDue || this.#released.size > 0 || this.outbound.hasOutput;
	}

	/** Writes everything that may leave: acknowledgements first, then publishes until the sink takes no more. */
	write(sink: SessionSink): void {
		this.writeAnswers(sink);
		if (this.outbound.hasOutput) this.outbound.write(sink);
	}

	/** Writes the acknowledgements that may leave, and no publish. */
	writeAnswers(sink: SessionSink): void {
		if (this.#acksDue) {
			this.#acksDue = false;
			this.inbound.takeAcks((type, packetId) => sink.ack(type, packetId));
		}
		if (this.#released.size > 0) {
			for (const packetId of this.#released) sink.ack("pubComp", packetId); // [MQTT-4.3.3-2]
			this.#released.clear();
		}
	}
}
