import type { Delivery } from "./delivery.js";
import type { PublishPacket } from "./packet.js";

/** Same QoS, topic and payload; of skipped payloads the size stands for the bytes. */
export function equalMessages(a: PublishPacket, b: PublishPacket): boolean {
	return (
		a.qos === b.qos &&
		a.payloadSize === b.payloadSize &&
		a.topic === b.topic &&
		a.skipped === b.skipped &&
		(a.skipped || Buffer.compare(a.payload, b.payload) === 0)
	);
}

/** Unfinished deliveries whose connection is gone, in the order in which they became orphans. Pure. */
export class Orphans {
	readonly #all = new Set<Delivery>();
	readonly #byTopic = new Map<string, Set<Delivery>>();
	readonly #byPacketId = new Map<number, Set<Delivery>>();
	#cost = 0;

	get size(): number {
		return this.#all.size;
	}

	/** What they hold in memory, in bytes. */
	get cost(): number {
		return this.#cost;
	}

	add(orphan: Delivery): void {
		this.#all.add(orphan);
		into(this.#byTopic, orphan.packet.topic, orphan);
		into(this.#byPacketId, orphan.packetId, orphan);
		this.#cost += orphan.cost;
	}

	delete(orphan: Delivery): void {
		if (!this.#all.delete(orphan)) return;
		outOf(this.#byTopic, orphan.packet.topic, orphan);
		outOf(this.#byPacketId, orphan.packetId, orphan);
		this.#cost -= orphan.cost;
	}

	/** Whether a PUBLISH of this topic, QoS and size could be the redelivery of one of them. */
	mayHold(topic: string, qos: number, payloadSize: number): boolean {
		for (const orphan of this.#byTopic.get(topic) ?? []) {
			if (orphan.packet.qos === qos && orphan.packet.payloadSize === payloadSize) return true;
		}
		return false;
	}

	/** The orphan equal to `packet`: the one of equal identifier first, else the oldest (RabbitMQ numbers redeliveries anew). */
	findEqual(packet: PublishPacket): Delivery | undefined {
		return this.findEqualWithId(packet) ?? firstEqual(this.#byTopic.get(packet.topic), packet);
	}

	/** The orphan equal to `packet` in message and identifier. */
	findEqualWithId(packet: PublishPacket): Delivery | undefined {
		return firstEqual(this.#byPacketId.get(packet.packetId), packet);
	}

	withPacketId(packetId: number): readonly Delivery[] {
		return [...(this.#byPacketId.get(packetId) ?? [])];
	}

	/** Oldest first. */
	all(): readonly Delivery[] {
		return [...this.#all];
	}
}

function firstEqual(candidates: Iterable<Delivery> | undefined, packet: PublishPacket): Delivery | undefined {
	for (const orphan of candidates ?? []) if (equalMessages(orphan.packet, packet)) return orphan;
	return undefined;
}

function into<K>(index: Map<K, Set<Delivery>>, key: K, orphan: Delivery): void {
	const set = index.get(key);
	if (set === undefined) index.set(key, new Set([orphan]));
	else set.add(orphan);
}

function outOf<K>(index: Map<K, Set<Delivery>>, key: K, orphan: Delivery): void {
	const set = index.get(key);
	if (set?.delete(orphan) && set.size === 0) index.delete(key);
}
