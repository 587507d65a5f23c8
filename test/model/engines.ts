import type { Delivery } from "../../src/mqtt/delivery.js";
import type { InboundCounters } from "../../src/mqtt/inbound.js";
import type { PublishPacket } from "../../src/mqtt/packet.js";
import { MqttSession } from "../../src/mqtt/session.js";
import { Subscriptions } from "../../src/mqtt/subscriptions.js";
import type { Attempt, Engine } from "./broker-model.js";

const WANTED = [{ filter: "t", qos: 1 }] as const;

/** The real session and subscriptions, with an app that takes everything at once and is asked again at once. */
export class RealEngine implements Engine {
	readonly #session: MqttSession;
	readonly #subscriptions = new Subscriptions(WANTED);
	#running: { readonly content: string; readonly delivery: Delivery }[] = [];
	#now = 0;

	constructor({ strict = false, maxBuffered = 1_000_000 } = {}) {
		this.#subscriptions.request();
		this.#session = new MqttSession(
			{ strict, maxBuffered, maxPayloadSize: 1_000, delivers: true },
			{
				delivered: (delivery) => this.#startWhenPossible(delivery),
				adopted: (delivery) => this.#startWhenPossible(delivery),
				orphaned: () => {},
				died: (delivery) => {
					if (delivery.lost) this.#startWhenPossible(delivery);
				},
			},
		);
	}

	get running(): readonly Attempt[] {
		return this.#running;
	}

	get counters(): Readonly<InboundCounters> {
		return this.#session.inbound.counters;
	}

	connecting(): void {
		this.#subscriptions.connectWritten();
	}

	connected(sessionPresent: boolean): void {
		this.#session.connected(sessionPresent);
		this.#subscriptions.connected(sessionPresent, this.#now);
	}

	subscribes(): boolean {
		const request = this.#subscriptions.take(this.#now);
		if (request === undefined) return false;
		this.#subscriptions.answered(request.packetId, [1], this.#now);
		// Every connection two hours later: what has been proven for an hour is trusted.
		this.#now += 2 * 60 * 60 * 1_000;
		return true;
	}

	disconnected(): void {
		this.#session.disconnected(true);
		this.#subscriptions.disconnected();
	}

	receive(packet: PublishPacket): void {
		this.#session.receive(packet);
	}

	end(attempt: Attempt, isAccepted: boolean): void {
		const { delivery } = this.#running.find((one) => one === attempt)!;
		this.#running = this.#running.filter((one) => one !== attempt);
		delivery.running = false;
		delivery.stage = "waiting";
		const { successor } = delivery;
		if (successor !== undefined) {
			this.#startWhenPossible(successor);
		}
		if (isAccepted) {
			delivery.stage = "settled";
			delivery.ack();
		} else {
			delivery.attempts++;
			delivery.passOver();
			this.#startWhenPossible(delivery);
		}
	}

	takeAcks(): readonly number[] {
		const acks: number[] = [];
		this.#session.write({
			ack: (_type, packetId) => {
				acks.push(packetId);
				return true;
			},
			publish: () => true,
		});
		return acks;
	}

	#startWhenPossible(delivery: Delivery): void {
		if (delivery.running || delivery.stage === "settled" || !delivery.deliverable) return;
		delivery.stage = "at-app";
		delivery.running = true;
		delivery.started = true;
		this.#running.push({ content: Buffer.from(delivery.packet.payload).toString(), delivery });
	}
}

/** What a simple engine gets wrong. */
export interface Bug {
	/** Acknowledges on receipt. */
	readonly ackOnReceipt?: boolean;
	/** Acknowledges in the order in which the app answers. */
	readonly completionOrder?: boolean;
	/** Keeps its queue over a reconnect. */
	readonly keepsQueue?: boolean;
	/** Acknowledges a copy as well. */
	readonly acksCopies?: boolean;
	/** Takes every DUP of a known identifier for a copy, also after a reconnect. */
	readonly dropsDup?: boolean;
	/** Sends no SUBSCRIBE when the broker says that it has the session. */
	readonly trustsSession?: boolean;
	/** Goes on acknowledging an identifier that was given to another message. */
	readonly ignoresReuse?: boolean;
	/** Forgets a message that the app refused. */
	readonly forgetsRefused?: boolean;
}

interface Entry extends Attempt {
	readonly packetId: number;
	isAccepted: boolean;
	hasFailed: boolean;
}

/** A plain engine without adoption: right but for the bugs that it is given. Shares no code with the real one. */
export class PlainEngine implements Engine {
	readonly #bug: Bug;
	#queue: Entry[] = [];
	#acks: number[] = [];
	#seen = new Set<number>();
	#subscribesNow = false;
	running: Entry[] = [];

	constructor(bug: Bug = {}) {
		this.#bug = bug;
	}

	connecting(): void {}

	connected(sessionPresent: boolean): void {
		this.#subscribesNow = !(this.#bug.trustsSession && sessionPresent);
	}

	subscribes(): boolean {
		return this.#subscribesNow;
	}

	disconnected(): void {
		this.#acks = [];
		if (this.#bug.keepsQueue) return;
		this.#queue = [];
		if (!this.#bug.dropsDup) this.#seen.clear();
	}

	receive({ packetId, payload, dup }: PublishPacket): void {
		const content = Buffer.from(payload).toString();
		const older = this.#queue.find((one) => one.packetId === packetId);
		if (this.#bug.dropsDup && dup && this.#seen.has(packetId)) {
			this.#acks.push(packetId);
			return;
		}
		if (older !== undefined && dup && older.content === content) {
			if (this.#bug.acksCopies) this.#acks.push(packetId);
			return;
		}
		if (older !== undefined && !this.#bug.ignoresReuse) this.#queue = this.#queue.filter((one) => one !== older);
		const entry = { content, packetId, isAccepted: false, hasFailed: false };
		this.#seen.add(packetId);
		if (older === undefined || !this.#bug.ignoresReuse) this.#queue.push(entry);
		this.running.push(entry);
		if (this.#bug.ackOnReceipt) this.#acks.push(packetId);
	}

	end(attempt: Attempt, isAccepted: boolean): void {
		const entry = this.running.find((one) => one === attempt)!;
		this.running = this.running.filter((one) => one !== entry);
		if (isAccepted) entry.isAccepted = true;
		else entry.hasFailed = true;
		if (!isAccepted && this.#queue.includes(entry) && !this.#bug.forgetsRefused) {
			this.running.push({ ...entry });
			this.#queue[this.#queue.indexOf(entry)] = this.running.at(-1)!;
		}
		if (this.#bug.completionOrder && isAccepted && this.#queue.includes(entry)) {
			this.#acks.push(entry.packetId);
			this.#queue = this.#queue.filter((one) => one !== entry);
		}
	}

	takeAcks(): readonly number[] {
		const acks = this.#acks;
		this.#acks = [];
		if (this.#bug.ackOnReceipt) return acks;
		for (const entry of [...this.#queue]) {
			if (!entry.isAccepted) {
				if (entry.hasFailed) continue;
				break;
			}
			acks.push(entry.packetId);
			this.#queue = this.#queue.filter((one) => one !== entry);
		}
		return acks;
	}
}
