import { ALONE_FROM, GIVEN_UP_AT, type OutboundPublish, type OutboundSink } from "./outbound.js";

/** The one identifier of QoS 2 publishes: mosquitto closes the connection at 21 handshakes at once. */
export const QOS2_PACKET_ID = 1;

/**
 * QoS 2 outbound: one handshake at a time, in the order of the calls, and so PUBREL in the order of PUBREC [MQTT-4.6.0-4].
 *
 * `unknown`: nobody knows what the broker keeps under the identifier; a PUBREL goes before the next PUBLISH. `abandoned`: a message was
 * given up before PUBREC; the resumed session gets a PUBREL in place of its PUBLISH. `clearing`: that PUBREL is written. `free`: a PUBLISH may be written. `published`: PUBREC is awaited. `received`: a PUBREL is due. `releasing`: PUBCOMP is awaited.
 */
type State = "unknown" | "abandoned" | "clearing" | "free" | "published" | "received" | "releasing";

/** The sender's half of QoS 2 [MQTT-4.3.3-1]. Pure. */
export class Qos2Handshake {
	#state: State = "unknown";
	#waiting: OutboundPublish[] = [];
	/** The message of the handshake at hand; undefined while it only clears. */
	#current: OutboundPublish | undefined;
	/** The current PUBLISH must be written again on this connection. */
	#again = false;
	/** What was written of it last on this connection, as the owner counts; undefined: nothing, or it was answered. */
	#unansweredSince: number | undefined;
	/** Connections that the broker ended with this as the oldest that was unanswered. */
	#ends = 0;

	/** The place of its PUBLISH or PUBREL among what was written on this connection, while that is unanswered. */
	get unansweredSince(): number | undefined {
		return this.#unansweredSince;
	}

	/** It is a suspect that must be sent alone until it is answered. */
	get isAlone(): boolean {
		return this.#ends >= ALONE_FROM && (this.isBusy || this.hasOutput);
	}

	get pending(): number {
		return this.#waiting.length + (this.#current === undefined ? 0 : 1);
	}

	/** A message is between PUBLISH and PUBCOMP. */
	get isBusy(): boolean {
		return this.#current !== undefined;
	}

	get hasOutput(): boolean {
		if (this.#again || this.#state === "received" || this.#state === "abandoned") return true;
		return this.#waiting.length > 0 && (this.#state === "free" || this.#state === "unknown");
	}

	*open(): Generator<OutboundPublish> {
		if (this.#current !== undefined && !this.#current.settled) yield this.#current;
		yield* this.#waiting;
	}

	enqueue(publish: OutboundPublish): void {
		this.#waiting.push(publish);
	}

	/** `order`: the place of what it writes. False when the sink takes no more. */
	write(sink: OutboundSink, order: number): boolean {
		if (!this.hasOutput) return true;
		this.#unansweredSince = order;
		return this.#write(sink);
	}

	#write(sink: OutboundSink): boolean {
		if (this.#state === "received") {
			this.#state = "releasing";
			return sink.ack("pubRel", QOS2_PACKET_ID);
		}
		if (this.#again && this.#current !== undefined) {
			this.#again = false;
			return sink.publish(this.#current);
		}
		if (this.#state !== "free") {
			this.#state = "clearing";
			return sink.ack("pubRel", QOS2_PACKET_ID);
		}
		const publish = this.#waiting.shift()!;
		this.#current = publish;
		this.#state = "published";
		publish.packetId = QOS2_PACKET_ID;
		publish.written = true;
		return sink.publish(publish);
	}

	/** PUBREC. From here on the message is never sent again [MQTT-4.3.3-1]. */
	received(packetId: number): boolean {
		if (packetId !== QOS2_PACKET_ID) return false;
		if (this.#state === "published" || this.#state === "releasing") {
			this.#state = "received";
			this.#again = false;
			this.#answered();
			return true;
		}
		return false;
	}

	/** PUBCOMP. */
	completed(packetId: number): { readonly known: boolean; readonly publish?: OutboundPublish | undefined } {
		if (packetId !== QOS2_PACKET_ID) return { known: false };
		if (this.#state === "clearing" || this.#state === "releasing") this.#answered();
		if (this.#state === "clearing") {
			this.#state = "free";
			return { known: true };
		}
		if (this.#state !== "releasing") return { known: false };
		const publish = this.#current;
		this.#current = undefined;
		this.#state = "free";
		return { known: true, publish };
	}

	/**
	 * The caller gave up. True when no PUBLISH of the message is on its way on this connection: it is gone. Otherwise the handshake is
	 * finished all the same.
	 */
	abandon(publish: OutboundPublish): boolean {
		if (publish === this.#current && this.#again) {
			this.#giveUp();
			return true;
		}
		const index = this.#waiting.indexOf(publish);
		if (index < 0) return false;
		this.#waiting.splice(index, 1);
		return true;
	}

	/** The connection is gone. Returns the messages that end here. */
	disconnected(): readonly OutboundPublish[] {
		this.#unansweredSince = undefined;
		const isGivenUp = this.#ends >= GIVEN_UP_AT;
		if (isGivenUp) this.#ends = 0;
		switch (this.#state) {
			case "clearing":
				// A PUBREL that no PUBREC preceded is written on one connection only.
				this.#state = "free";
				this.#ends = 0;
				return [];
			case "published": {
				const publish = this.#current!;
				if (publish.settled) {
					this.#giveUp();
					return [publish];
				}
				publish.dup = true; // [MQTT-3.3.1-1]
				this.#again = true;
				return [];
			}
			case "releasing":
				if (isGivenUp) {
					// A PUBREL that the broker does not bear, or never read: what it keeps is unknown.
					const publish = this.#current!;
					this.#current = undefined;
					this.#state = "unknown";
					return [publish];
				}
				// [MQTT-4.4.0-1]: the resumed session gets the PUBREL again.
				this.#state = "received";
				return [];
			default:
				return [];
		}
	}

	/**
	 * The session of the handshake at hand is gone: its message, if its caller still waits, has an unknown outcome. `isOtherBroker`: the
	 * present broker may keep a handshake of an earlier visit.
	 */
	sessionLost(isOtherBroker: boolean): OutboundPublish | undefined {
		const publish = this.#current;
		this.#current = undefined;
		this.#again = false;
		if (isOtherBroker || this.#state !== "free") this.#state = "unknown";
		this.#ends = 0;
		return publish;
	}

	/** The broker ended the connection with it as the oldest that was unanswered. Returns the message that is given up for it. */
	suspected(): OutboundPublish | undefined {
		return ++this.#ends < GIVEN_UP_AT ? undefined : this.#current;
	}

	#answered(): void {
		this.#unansweredSince = undefined;
		this.#ends = 0;
	}

	/** Ends the handshake before PUBREC. */
	#giveUp(): void {
		this.#current = undefined;
		this.#again = false;
		this.#state = "abandoned";
	}
}
