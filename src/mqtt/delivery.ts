import type { PublishPacket } from "./packet.js";

/** What a delivery needs of the engine that made it. */
export interface DeliveryOwner {
	ack(delivery: Delivery): boolean;
	passOver(delivery: Delivery): void;
	release(delivery: Delivery): void;
}

/**
 * One received message's life in this process. It is also the right to acknowledge that message: once, on the
 * connection that brought it or that brought it again.
 */
export class Delivery {
	readonly #owner: DeliveryOwner;
	/** The message. Oversized ones have `skipped` set, no payload and their size in `payloadSize`. */
	packet: PublishPacket;
	/**
	 * `live`: its connection is up, ack() acknowledges. `orphan`: the connection is gone; it must not be started or
	 * tried again, and a redelivery may adopt it. `dead`: neither; it is started only when `lost` is set.
	 */
	state: "live" | "orphan" | "dead" = "live";
	/** The session ended before this one reached the app: it is delivered all the same, but nobody can be told. */
	lost = false;
	/** Attempts that failed so far; survives adoption. */
	attempts = 0;
	/** Attempts that ended without a verdict because the app died. */
	crashes = 0;
	/** It was handed to the app at least once. */
	started = false;
	/** A handler has it now. */
	running = false;
	/** ack() was called. */
	accepted = false;
	/** Later acknowledgements may overtake this one. */
	passedOver = false;
	/** Arrival order, over all connections. */
	sequence = 0;
	/** Its Packet Identifier on the connection that brought it last; 0 for QoS 0. */
	packetId: number;
	/** What it counts against `maxBuffered`, in bytes. */
	cost = 0;
	/** Where it is, in the words of whoever handles deliveries. */
	stage: "waiting" | "at-app" | "between" | "held" | "dead-lettering" | "settled" = "waiting";
	/** When it is due again, or was last tried, by the handler's clock. */
	at = 0;
	/** When it first came, by the client's clock. */
	arrivedAt = 0;
	/** The delivery that waits for this one's handler, perhaps for others' too: see `deliverable`. */
	successor: Delivery | undefined = undefined;
	/** Those whose handlers ran when this one came, and must end before it starts. */
	#predecessors: readonly Delivery[] | undefined;
	/** Neighbours in the acknowledgement queue. */
	previous: Delivery | undefined = undefined;
	next: Delivery | undefined = undefined;

	constructor(owner: DeliveryOwner, packet: PublishPacket, sequence: number) {
		this.#owner = owner;
		this.packet = packet;
		this.packetId = packet.packetId;
		this.sequence = sequence;
	}

	/** May be handed to the app now: its connection is up, and no handler runs that must end first. */
	get deliverable(): boolean {
		return (this.state === "live" || this.lost) && !this.#predecessors?.some(({ running }) => running);
	}

	/** This one may start only when `older`'s handler has ended, and the handlers that `older` itself waited for. */
	startAfter(older: Delivery): void {
		const running = [older, ...(older.#predecessors ?? [])].filter((one) => one.running);
		if (running.length === 0) return;
		for (const one of running) one.successor = this;
		this.#predecessors = [...(this.#predecessors ?? []), ...running];
	}

	/**
	 * Accept: PUBACK or PUBREC leaves in its turn. For an orphan it is remembered, and leaves when a redelivery adopts it.
	 * False when nobody can be told any more. Only the first of ack() and release() counts.
	 */
	ack(): boolean {
		return this.#owner.ack(this);
	}

	/** Give up its place: later acknowledgements may overtake it. Settles nothing. */
	passOver(): void {
		this.#owner.passOver(this);
	}

	/** Gives the payload memory of its own, for one that stays: a small view would keep its whole chunk alive. */
	detach(): void {
		const { buffer, byteOffset, byteLength } = this.packet.payload;
		if (buffer.byteLength <= 2 * byteLength) return;
		this.packet = { ...this.packet, payload: Buffer.from(buffer.slice(byteOffset, byteOffset + byteLength)) };
	}

	/**
	 * Forget it here without acknowledging it: the broker keeps it, or it has no acknowledgement. For orphans that do not run, lost
	 * deliveries and QoS 0; a live one keeps its place, as the broker still waits for its acknowledgement.
	 */
	release(): void {
		this.#owner.release(this);
	}
}
