import { PublishError } from "../errors.js";
import type { QoS } from "./packet.js";
import { PacketIds, PacketIdTable } from "./packet-ids.js";
import { Qos2Handshake } from "./qos2-handshake.js";

/** Publishes that wait or are unanswered, given-up ones included. */
const MAX_PENDING = 2_048;
const MAX_PENDING_BYTES = 64 * 1024 * 1024;
/** 1 belongs to QoS 2, the highest ones to SUBSCRIBE. */
const FIRST_PACKET_ID = 2;
const LAST_PACKET_ID = 65_519;

/** One message on its way to the broker. */
export interface OutboundPublish {
	readonly topic: string;
	/** Bytes of `topic` in UTF-8. */
	readonly topicLength: number;
	readonly payload: Uint8Array;
	readonly qos: QoS;
	readonly retain: boolean;
	/** By the owner's clock; the owner calls abandon() when it has passed. */
	readonly deadline: number;
	/** Called once: with nothing when it succeeded. */
	readonly settle: (error?: PublishError) => void;
	/** 0 while it has none. */
	packetId: number;
	/** The next PUBLISH of it carries DUP. */
	dup: boolean;
	/** Some byte of it may have left us, on this connection or an earlier one. */
	written: boolean;
	/** settle() was called. */
	settled: boolean;
	/** Connections that the broker ended with this as the oldest unanswered publish. */
	ends: number;
	/** Its place among what was written on this connection. */
	order: number;
}

/** Where packets go. Both return false when the connection takes no more for now; the packet at hand was taken. */
export interface OutboundSink {
	publish(publish: OutboundPublish): boolean;
	ack(type: "pubRel", packetId: number): boolean;
}

/** The broker ended a connection so often with one publish as the oldest unanswered one: it is sent alone, and given up. */
export const ALONE_FROM = 2;
export const GIVEN_UP_AT = 3;

/** The error of a publish that is given up because the broker ends the connection each time. */
export function suspectError(): PublishError {
	return new PublishError(
		`the broker ended the connection ${GIVEN_UP_AT} times with this publish unanswered: too large for it, or against its rules`,
		{ outcome: "unknown", suspect: true },
	);
}

/**
 * The sending half of a session: what waits, what is unanswered, what is sent again after a reconnect. A message whose caller was
 * told of an error is never written again. Pure: no sockets, no timers.
 */
export class Outbound {
	readonly #ids = new PacketIds(FIRST_PACKET_ID, LAST_PACKET_ID);
	/** Not written on this connection; in order. Those to be sent again come first. */
	#waiting: OutboundPublish[] = [];
	#next = 0;
	/** Written at QoS 1 on this connection and not acknowledged, by identifier. */
	readonly #unanswered = new PacketIdTable<OutboundPublish>();
	readonly #qos2 = new Qos2Handshake();
	/** In the order in which they were first written [MQTT-4.6.0-1]. */
	readonly #order = new Set<OutboundPublish>();
	#bytes = 0;
	/** A publish was refused for want of room, and nothing has left since. */
	#hasRefused = false;
	/** What was written on this connection, for the order of publishes at QoS 1 and 2. */
	#writes = 0;
	/** A suspect that is sent alone until it is answered. */
	#alone: OutboundPublish | undefined;
	/** Answers to publishes, and QoS 0 publishes handed over: for whoever watches over a broker that stopped answering. */
	progress = 0;
	/** Publishes that the broker took over after their caller had been told that the outcome is unknown. */
	late = 0;

	/** Publishes that wait or are unanswered. */
	get pending(): number {
		return this.#waiting.length - this.#next + this.#unanswered.size + this.#qos2.pending;
	}

	/** There is no room for another publish, or there was none for the last that asked. */
	get isFull(): boolean {
		return this.#hasRefused || this.pending >= MAX_PENDING || this.#bytes >= MAX_PENDING_BYTES;
	}

	/** Every pending publish whose caller still waits. */
	*open(): Generator<OutboundPublish> {
		for (let index = this.#next; index < this.#waiting.length; index++) yield this.#waiting[index]!;
		for (const publish of this.#unanswered.values()) if (!publish.settled) yield publish;
		yield* this.#qos2.open();
	}

	/** Puts a publish in line. Throws PublishError: `pending` when there are too many, else when there will never be room. */
	enqueue(publish: OutboundPublish): void {
		const { length } = publish.payload;
		if (length > MAX_PENDING_BYTES) {
			throw new PublishError(`a payload of ${length} bytes (at most ${MAX_PENDING_BYTES})`, { outcome: "not-sent" });
		}
		if (this.pending >= MAX_PENDING || this.#bytes + length > MAX_PENDING_BYTES) {
			this.#hasRefused = true;
			throw new PublishError(
				`too many pending: ${this.pending} publishes, ${this.#bytes} bytes (at most ${MAX_PENDING} and ${MAX_PENDING_BYTES})`,
				{ outcome: "not-sent", pending: true },
			);
		}
		this.#bytes += length;
		if (publish.qos === 2) this.#qos2.enqueue(publish);
		else this.#waiting.push(publish);
	}

	/** Writes what may leave until the sink takes no more. */
	write(sink: OutboundSink): void {
		if (this.#alone === undefined && !this.#qos2.write(sink, ++this.#writes)) return;
		while (this.#next < this.#waiting.length && !this.#qos2.isAlone) {
			const publish = this.#waiting[this.#next]!;
			if (this.#alone !== undefined && publish !== this.#alone) break;
			if (publish.qos === 1 && publish.packetId === 0) {
				publish.packetId = this.#ids.take();
				if (publish.packetId === 0) return;
			}
			this.#next++;
			publish.written = true;
			publish.order = ++this.#writes;
			const takesMore = sink.publish(publish);
			if (publish.qos === 0) {
				this.progress++;
				this.#finish(publish);
			} else {
				this.#unanswered.set(publish.packetId, publish);
				this.#order.add(publish);
			}
			if (!takesMore) break;
		}
		this.#compact();
	}

	/** PUBACK. False when nothing waits for it. */
	acknowledged(packetId: number): boolean {
		const publish = this.#unanswered.get(packetId);
		if (publish === undefined) return false;
		this.#unanswered.delete(packetId);
		this.#order.delete(publish);
		this.#ids.free(packetId);
		this.progress++;
		this.#finish(publish);
		return true;
	}

	/** A QoS 1 publish of this identifier is unanswered. */
	awaitsPubAck(packetId: number): boolean {
		return this.#unanswered.get(packetId) !== undefined;
	}

	/** A QoS 2 handshake is under way. */
	get inHandshake(): boolean {
		return this.#qos2.isBusy;
	}

	/** PUBREC. The answer is written by the next write(). */
	received(packetId: number): boolean {
		const isKnown = this.#qos2.received(packetId);
		if (isKnown) this.progress++;
		return isKnown;
	}

	/** PUBCOMP. */
	completed(packetId: number): boolean {
		const { known, publish } = this.#qos2.completed(packetId);
		if (known) this.progress++;
		if (publish !== undefined) this.#finish(publish);
		return known;
	}

	/** True when write() would have something to say. */
	get hasOutput(): boolean {
		return this.#next < this.#waiting.length || this.#qos2.hasOutput;
	}

	/**
	 * The caller waits no longer. What no byte of has left is taken back: *not sent*. Otherwise *outcome unknown*, and a QoS 1 identifier
	 * stays taken until its acknowledgement or the end of the connection [MQTT-2.3.1-3].
	 */
	abandon(publish: OutboundPublish, reason: string): void {
		if (publish.settled) return;
		this.#settle(publish, new PublishError(reason, { outcome: publish.written ? "unknown" : "not-sent" }));
		if (publish === this.#alone) this.#alone = undefined;
		if (publish.qos === 2) {
			if (this.#qos2.abandon(publish)) this.#makeRoom(publish);
			return;
		}
		const index = this.#waiting.indexOf(publish, this.#next);
		if (index < 0) return;
		this.#waiting.splice(index, 1);
		this.#drop(publish);
	}

	/**
	 * A Network Connection was accepted: what is unanswered goes first, as it was, in its order [MQTT-4.4.0-1] [MQTT-4.6.0-1].
	 * `isOtherBroker`: not the one before, so whatever it keeps for us is unknown.
	 */
	connected(resumed: boolean, isOtherBroker = false): void {
		this.#writes = 0;
		if (!resumed) {
			for (const publish of this.#waiting) {
				this.#forgetId(publish);
			}
			const lost = this.#qos2.sessionLost(isOtherBroker);
			if (lost !== undefined) {
				const reason = isOtherBroker
					? "the connection went to another broker in the middle of a QoS 2 handshake"
					: "the broker lost the session in the middle of a QoS 2 handshake";
				this.#settle(lost, new PublishError(reason, { outcome: "unknown" }));
				this.#makeRoom(lost);
			}
		}
	}

	/** The Network Connection is gone. `byBroker`: the broker ended it, maybe because of what it had not answered. */
	disconnected(byBroker = false): void {
		if (byBroker) this.#suspectOldest();
		this.#alone = undefined;
		const again: OutboundPublish[] = [];
		for (const publish of this.#order) {
			publish.dup = true; // [MQTT-3.3.1-1]
			if (publish.settled) this.#drop(publish);
			else again.push(publish);
		}
		if (again[0] !== undefined && again[0].ends >= ALONE_FROM) this.#alone = again[0];
		this.#order.clear();
		this.#unanswered.clear();
		this.#waiting = [...again, ...this.#waiting.slice(this.#next)];
		this.#next = 0;
		for (const publish of this.#qos2.disconnected()) this.#makeRoom(publish);
	}

	/** Ends everything: the client closes. */
	close(reason: string): void {
		for (const publish of [...this.open()]) this.abandon(publish, reason);
	}

	/** Nobody else's publish fails with the suspect. */
	#suspectOldest(): void {
		const [publish] = this.#order;
		const handshake = this.#qos2.unansweredSince;
		if (handshake !== undefined && (publish === undefined || handshake < publish.order)) {
			const failed = this.#qos2.suspected();
			if (failed !== undefined) this.#settle(failed, suspectError());
		} else if (publish !== undefined && ++publish.ends >= GIVEN_UP_AT) {
			this.#settle(publish, suspectError());
		}
	}

	#finish(publish: OutboundPublish): void {
		if (publish.settled) this.late++;
		if (publish === this.#alone) this.#alone = undefined;
		this.#makeRoom(publish);
		this.#settle(publish, undefined);
	}

	#settle(publish: OutboundPublish, error: PublishError | undefined): void {
		if (publish.settled) return;
		publish.settled = true;
		publish.settle(error);
	}

	/** Out of every account. */
	#drop(publish: OutboundPublish): void {
		this.#makeRoom(publish);
		this.#forgetId(publish);
	}

	#makeRoom(publish: OutboundPublish): void {
		this.#bytes -= publish.payload.length;
		this.#hasRefused = false;
	}

	#forgetId(publish: OutboundPublish): void {
		if (publish.packetId !== 0) this.#ids.free(publish.packetId);
		publish.packetId = 0;
		publish.dup = false;
	}

	#compact(): void {
		if (this.#next === this.#waiting.length) {
			this.#waiting = [];
			this.#next = 0;
		} else if (this.#next > 1_024) {
			this.#waiting.splice(0, this.#next);
			this.#next = 0;
		}
	}
}
