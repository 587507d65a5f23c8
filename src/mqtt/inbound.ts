import { AckQueue } from "./ack-queue.js";
import { BufferCap } from "./buffer-cap.js";
import type { PublishHeader } from "./decode.js";
import { Delivery, type DeliveryOwner } from "./delivery.js";
import { LostDeliveries } from "./lost-deliveries.js";
import { equalMessages, Orphans } from "./orphans.js";
import type { PublishPacket } from "./packet.js";
import { PacketIdTable } from "./packet-ids.js";
import { Qos2Memory } from "./qos2-memory.js";

/** Counted on top of topic and payload for each delivery, so that empty messages are bounded as well. */
const DELIVERY_OVERHEAD = 200;

/** Whoever hands deliveries to the app. Called synchronously; must not throw. */
export interface DeliveryListener {
	/** A new message. May be started unless `after` runs. */
	delivered(delivery: Delivery): void;
	/** An orphan lives again, with its stage and attempts. */
	adopted(delivery: Delivery): void;
	/** The connection is gone: everything unfinished of it became an orphan. */
	orphaned(): void;
	/** Dead: neither start nor try it again. With `lost` set, start it all the same. */
	died(delivery: Delivery): void;
	/** Later acknowledgements may overtake it from now on. */
	passedOver?(delivery: Delivery): void;
}

export interface InboundOptions {
	/** `ackOrder: strict`: nothing is passed over. It may become so later: becomeStrict(). */
	readonly strict: boolean;
	/** Bytes of un-acknowledged messages of the present connection; orphans have the same again, QoS 0 a quarter of it. */
	readonly maxBuffered: number;
	/** Payloads beyond it are skipped while reading. */
	readonly maxPayloadSize: number;
	/** False: nobody will ever read; messages get neither memory nor a place. */
	readonly delivers: boolean;
}

/** Things worth counting. */
export interface InboundCounters {
	/** Copies of a message that was still un-acknowledged on the same connection. */
	copies: number;
	/** Deliveries that took over an orphan. */
	adopted: number;
	/** Accepted, but no acknowledgement could be sent any more. */
	stale: number;
	/** QoS 0 messages dropped for want of room. */
	qos0Dropped: number;
	/** Messages passed by without memory because the buffer was full; the broker sends them again after a resume. */
	skipped: number;
	/** Messages that came while nobody reads. */
	unread: number;
	/** Deliveries of a lost session that were dropped unseen for want of room. */
	lostDropped: number;
}

/** How one acknowledgement leaves. */
export type AckSink = (type: "pubAck" | "pubRec", packetId: number) => void;

/**
 * The receiving half of a session: places in the acknowledgement queue, copies, identifiers given to another message, QoS 2,
 * orphans and their adoption. Pure: no sockets, no timers; acknowledgements are fetched with takeAcks().
 */
export class Inbound implements DeliveryOwner {
	readonly #options: InboundOptions;
	readonly #listener: DeliveryListener;
	readonly #queue = new AckQueue();
	/** Un-acknowledged deliveries of the present connection, by identifier. */
	readonly #live = new PacketIdTable<Delivery>();
	/** Of the session that is resumed; a lost one leaves none. */
	readonly #orphans = new Orphans();
	readonly #qos2 = new Qos2Memory();
	#sequence = 0;
	readonly #cap: BufferCap;
	#bufferedQos0 = 0;
	#draining = false;
	#isStrict: boolean;
	/** Bounded like orphans. */
	readonly #lost: LostDeliveries;
	readonly counters: InboundCounters = {
		copies: 0,
		adopted: 0,
		stale: 0,
		qos0Dropped: 0,
		skipped: 0,
		unread: 0,
		lostDropped: 0,
	};
	/** Called when an acknowledgement may leave that could not before. */
	onAckReady: () => void = () => {};
	/**
	 * Called when acknowledgements have left; `outstanding`: how many messages were un-acknowledged before. `overtook`: one of them left
	 * before that of a message which came earlier.
	 */
	onAcknowledged: (outstanding: number, overtook: boolean) => void = () => {};

	constructor(options: InboundOptions, listener: DeliveryListener) {
		this.#options = options;
		this.#isStrict = options.strict;
		this.#listener = listener;
		this.#cap = new BufferCap(options.maxBuffered);
		this.#lost = new LostDeliveries(options.maxBuffered);
	}

	/** Nothing is passed over. */
	get isStrict(): boolean {
		return this.#isStrict;
	}

	/** From here on nothing is passed over. Only while nothing is connected. */
	becomeStrict(): void {
		this.#isStrict = true;
		for (const orphan of this.#orphans.all()) orphan.passedOver = false;
	}

	/** Un-acknowledged messages of the present connection. */
	get outstanding(): number {
		return this.#live.size;
	}

	/** Bytes of un-acknowledged messages of the present connection. */
	get buffered(): number {
		return this.#cap.bytes;
	}

	get orphans(): number {
		return this.#orphans.size;
	}

	/** The place in arrival order of the last settled delivery that waits behind unsettled ones. */
	get newestWaiting(): number | undefined {
		return this.#queue.newestWaiting();
	}

	/** Everything unsettled that arrived before that place gives up its own. */
	passOverBefore(sequence: number): void {
		if (this.#isStrict) return;
		for (const delivery of this.#queue.passOverBefore(sequence)) this.#listener.passedOver?.(delivery);
		this.onAckReady();
	}

	/** More is un-acknowledged than `maxBuffered` allows. */
	get isOverCap(): boolean {
		return this.#cap.isOver;
	}

	/** Messages of this connection are passed by. */
	get isSkipping(): boolean {
		return this.#cap.isSkipping;
	}

	/** Messages were passed by and half the buffer is free: a resumed connection would bring them. */
	get wantsResume(): boolean {
		return this.#cap.wantsResume;
	}

	/** Reading must go on although the buffer is full: a message that comes before there is room is passed by, and all behind it. */
	skip(): void {
		this.#cap.skip();
	}

	/** From here on what comes is passed by, un-acknowledged: the binding is stopping. */
	drain(): void {
		this.#draining = true;
	}

	/** Un-acknowledged deliveries of the present connection, in the order of their identifiers. */
	unacknowledged(): Iterable<Delivery> {
		return this.#live.values();
	}

	/**
	 * A Network Connection was accepted. `resumed`: the broker has the session of the one before, at the same URL [MQTT-3.1.2-4];
	 * otherwise what was kept of it is void [MQTT-3.1.2-6].
	 */
	connected(resumed: boolean): void {
		if (resumed) return;
		this.#qos2.clear();
		for (const orphan of this.#orphans.all()) {
			// What was too large to be read can't be delivered; what was accepted unseen was dropped on purpose.
			if (!orphan.started && !orphan.accepted && !orphan.packet.skipped) this.#lost.add(orphan);
			this.#forget(orphan);
		}
		for (const dropped of this.#lost.trim()) {
			this.counters.lostDropped++;
			this.#listener.died(dropped);
		}
	}

	/** The Network Connection is gone: every right to acknowledge ends. `stable`: it was online long enough for all redeliveries. */
	disconnected(stable: boolean): void {
		if (stable) {
			for (const orphan of this.#orphans.all()) if (!orphan.running) this.#forget(orphan);
		}
		this.#queue.clear();
		const unfinished = [...this.#live.values()].sort((a, b) => a.sequence - b.sequence);
		this.#live.clear();
		this.#cap.clear();
		for (const delivery of unfinished) {
			if (this.#isAnswer(delivery)) {
				delivery.state = "dead";
			} else {
				delivery.state = "orphan";
				this.#orphans.add(delivery);
			}
		}
		this.#trimOrphans();
		this.#listener.orphaned();
	}

	/** Whether the decoder shall keep this PUBLISH's payload. */
	admit(header: PublishHeader): boolean {
		if (!this.#options.delivers || header.payloadSize > this.#options.maxPayloadSize) return false;
		if (!this.isSkipping && !this.#draining) return true;
		if (header.qos === 0) return !this.#draining;
		if (this.#mayBeKnown(header)) return true;
		if (this.isSkipping) this.#cap.skipped();
		return false;
	}

	/** It could be here already: that takes no new room, and only its payload tells it from another message. */
	#mayBeKnown({ packetId, topic, qos, dup, payloadSize }: PublishHeader): boolean {
		if (qos === 2 && this.#qos2.mayHold(packetId, topic, payloadSize)) return true;
		if (!dup) return false;
		return (
			this.#live.get(packetId)?.packet.payloadSize === payloadSize || this.#orphans.mayHold(topic, qos, payloadSize)
		);
	}

	/** Takes in one PUBLISH. */
	receive(packet: PublishPacket): void {
		if (!this.#options.delivers) {
			this.counters.unread++;
		} else if (packet.qos === 0) {
			if (!this.#draining) this.#receiveQos0(packet);
		} else {
			this.#receiveAcknowledged(packet);
		}
	}

	/** PUBREL: the identifier is free again. The answer is PUBCOMP, known or not [MQTT-4.3.3-2]. */
	released(packetId: number): void {
		const answer = this.#live.get(packetId);
		// The broker has a PUBREC: a second one would come too late, and be remembered for whatever has the identifier next.
		if (answer !== undefined && this.#isAnswer(answer)) this.#withdraw(answer);
		this.#qos2.delete(packetId);
	}

	/** Takes out every acknowledgement that may leave now, in order: PUBACK at QoS 1, PUBREC at QoS 2 [MQTT-3.3.4-1]. */
	takeAcks(sink: AckSink): void {
		const before = this.#live.size;
		const { overtakes } = this.#queue;
		for (let delivery = this.#queue.take(); delivery !== undefined; delivery = this.#queue.take()) {
			const { packetId, packet } = delivery;
			if (this.#live.get(packetId) === delivery) this.#live.delete(packetId);
			this.#cap.remove(delivery.cost);
			delivery.state = "dead";
			if (packet.qos === 1) {
				sink("pubAck", packetId);
			} else {
				this.#qos2.remember(packetId, packet);
				sink("pubRec", packetId);
			}
		}
		if (this.#live.size < before) this.onAcknowledged(before, this.#queue.overtakes > overtakes);
	}

	/** Every message is acknowledged once the app has accepted it, and none before [MQTT-4.5.0-2]: only then it is ours [MQTT-4.3.2-2]. */
	ack(delivery: Delivery): boolean {
		if (delivery.accepted) return delivery.state !== "dead";
		delivery.accepted = true;
		if (delivery.packet.qos === 0) {
			this.#bufferedQos0 -= delivery.cost;
			return true;
		}
		if (delivery.state === "dead") {
			this.counters.stale++;
			this.#lost.finish(delivery);
			return false;
		}
		if (delivery.state === "live") {
			this.#queue.settle(delivery);
			this.onAckReady();
		}
		return true;
	}

	passOver(delivery: Delivery): void {
		if (this.#isStrict || delivery.passedOver || delivery.packet.qos === 0) return;
		if (delivery.state === "live") {
			this.#queue.passOver(delivery);
			this.#listener.passedOver?.(delivery);
			this.onAckReady();
		} else {
			delivery.passedOver = true;
		}
	}

	release(delivery: Delivery): void {
		if (delivery.packet.qos === 0) {
			if (delivery.accepted) return;
			delivery.accepted = true;
			this.#bufferedQos0 -= delivery.cost;
		} else if (delivery.lost) {
			this.#lost.finish(delivery);
		} else if (delivery.state === "orphan" && !delivery.running) {
			this.#forget(delivery);
		}
	}

	#receiveQos0(packet: PublishPacket): void {
		const delivery = this.#create(packet);
		if (packet.skipped || this.#bufferedQos0 + delivery.cost > this.#options.maxBuffered / 4) {
			this.counters.qos0Dropped++;
			return;
		}
		this.#bufferedQos0 += delivery.cost;
		this.#listener.delivered(delivery);
	}

	#receiveAcknowledged(packet: PublishPacket): void {
		const { packetId } = packet;
		if (packet.qos === 2 && this.#qos2.holds(packetId, packet)) {
			this.#answerAgain(packet);
			return;
		}
		const older = this.#live.get(packetId);
		if (older !== undefined && packet.dup && equalMessages(older.packet, packet)) {
			this.counters.copies++;
			return;
		}
		if (packet.dup) {
			const orphan = this.#orphans.findEqual(packet);
			if (orphan !== undefined) {
				if (older !== undefined) this.#replace(older, orphan.running ? undefined : orphan);
				this.#adopt(orphan, packet);
				return;
			}
		}
		this.#qos2.delete(packetId);
		if (this.#draining || this.isSkipping) {
			// No room, no place: the broker sends it again to the next connection. Its identifier is no longer the older one's.
			if (!this.#draining) {
				this.#cap.skipped();
				this.counters.skipped++;
			}
			if (older !== undefined) this.#replace(older, undefined);
			return;
		}
		const delivery = this.#create(packet);
		if (older !== undefined) this.#replace(older, delivery);
		this.#meetOrphans(delivery);
		this.#place(delivery);
		this.#listener.delivered(delivery);
	}

	/** It is no message but a second PUBREC that waits for its turn: only for these memory and place stand side by side. */
	#isAnswer({ packet, packetId }: Delivery): boolean {
		return packet.qos === 2 && this.#qos2.has(packetId);
	}

	/** An equal PUBLISH between PUBREC and PUBREL: answered in its turn, not delivered [MQTT-4.3.3-2]. */
	#answerAgain(packet: PublishPacket): void {
		this.counters.copies++;
		if (this.#live.get(packet.packetId) !== undefined) return;
		const answer = this.#create(packet);
		answer.accepted = true;
		answer.stage = "settled";
		this.#place(answer);
		this.onAckReady();
	}

	#adopt(orphan: Delivery, packet: PublishPacket): void {
		this.#orphans.delete(orphan);
		this.#qos2.delete(packet.packetId);
		orphan.packetId = packet.packetId;
		orphan.sequence = ++this.#sequence;
		orphan.state = "live";
		this.counters.adopted++;
		for (const other of this.#orphans.withPacketId(packet.packetId)) if (!other.running) this.#forget(other);
		this.#place(orphan);
		this.#listener.adopted(orphan);
		if (orphan.accepted) this.onAckReady();
	}

	/** What a message that is no redelivery means for orphans of its identifier. */
	#meetOrphans(delivery: Delivery): void {
		if (this.#orphans.size === 0) return;
		for (const orphan of this.#orphans.withPacketId(delivery.packetId)) {
			const mayBeSame = equalMessages(orphan.packet, delivery.packet);
			if (orphan.running && !mayBeSame) continue;
			this.#forget(orphan);
			// aedes and rumqttd resend without DUP: it may be the same message, so the two never run side by side.
			if (mayBeSame) delivery.startAfter(orphan);
		}
	}

	/** The broker gave `older`'s identifier to another message. */
	#replace(older: Delivery, newer: Delivery | undefined): void {
		this.#withdraw(older);
		newer?.startAfter(older);
		this.#listener.died(older);
	}

	/** Takes away its place and its right to acknowledge. */
	#withdraw(delivery: Delivery): void {
		this.#queue.remove(delivery);
		this.#live.delete(delivery.packetId);
		this.#cap.remove(delivery.cost);
		delivery.state = "dead";
		// Settled ones may have waited behind it.
		this.onAckReady();
	}

	#create(packet: PublishPacket): Delivery {
		const delivery = new Delivery(this, packet, ++this.#sequence);
		delivery.cost = packet.payload.length + packet.topic.length + DELIVERY_OVERHEAD;
		return delivery;
	}

	#place(delivery: Delivery): void {
		this.#live.set(delivery.packetId, delivery);
		this.#cap.add(delivery.cost);
		this.#queue.add(delivery);
	}

	#forget(orphan: Delivery): void {
		this.#orphans.delete(orphan);
		orphan.state = "dead";
		this.#listener.died(orphan);
	}

	#trimOrphans(): void {
		if (this.#orphans.cost <= this.#options.maxBuffered) return;
		for (const orphan of this.#orphans.all()) {
			if (this.#orphans.cost <= this.#options.maxBuffered) return;
			if (!orphan.running) this.#forget(orphan);
		}
	}
}
