import { createHash } from "node:crypto";
import type { PublishPacket } from "./packet.js";
import { PacketIdTable } from "./packet-ids.js";

interface Remembered {
	readonly topic: string;
	readonly payloadSize: number;
	/** Of the payload; empty for one that was skipped. */
	readonly digest: string;
}

/**
 * QoS 2 messages answered with PUBREC whose PUBREL has not come: a digest each, at most one per identifier.
 * Belongs to the session, so it outlives connections [MQTT-4.3.3-2].
 */
export class Qos2Memory {
	readonly #messages = new PacketIdTable<Remembered>();

	get size(): number {
		return this.#messages.size;
	}

	remember(packetId: number, packet: PublishPacket): void {
		this.#messages.set(packetId, {
			topic: packet.topic,
			payloadSize: packet.payloadSize,
			digest: digest(packet),
		});
	}

	has(packetId: number): boolean {
		return this.#messages.get(packetId) !== undefined;
	}

	/** Whether a PUBLISH of this identifier, topic and size could be the remembered one again. */
	mayHold(packetId: number, topic: string, payloadSize: number): boolean {
		const known = this.#messages.get(packetId);
		return known !== undefined && known.payloadSize === payloadSize && known.topic === topic;
	}

	/** Whether this PUBLISH is the remembered one again; one that differs is another message. */
	holds(packetId: number, packet: PublishPacket): boolean {
		return (
			this.mayHold(packetId, packet.topic, packet.payloadSize) &&
			this.#messages.get(packetId)?.digest === digest(packet)
		);
	}

	delete(packetId: number): void {
		this.#messages.delete(packetId);
	}

	clear(): void {
		this.#messages.clear();
	}
}

function digest({ skipped, payload }: PublishPacket): string {
	return skipped ? "" : createHash("sha256").update(payload).digest("base64");
}
