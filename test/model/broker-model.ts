import assert from "node:assert/strict";
import type { PublishPacket } from "../../src/mqtt/packet.js";

/** What the model drives: something that receives, asks an app and acknowledges. */
export interface Engine {
	connected(sessionPresent: boolean): void;
	disconnected(): void;
	receive(packet: PublishPacket): void;
	/** Attempts at the app now, oldest first. */
	readonly running: readonly Attempt[];
	/** The app's answer to one of them. */
	end(attempt: Attempt, isAccepted: boolean): void;
	/** Acknowledgements that leave now. */
	takeAcks(): readonly number[];
	/** Whether a SUBSCRIBE follows the CONNACK just handed in. */
	subscribes(): boolean;
	/** A CONNECT leaves. */
	connecting(): void;
}
/** One call of the app. `receipt` tells the checker which PUBLISH it was started for. */
export interface Attempt {
	readonly content: string;
}

interface Sent {
	readonly message: Message;
	/** Arrival order on this connection; -1: not sent on it. */
	arrival: number;
	/** How often a message of this content had failed at the app when this one arrived. */
	acknowledged: boolean;
}
interface Message {
	readonly content: string;
}

/** How a broker marks and numbers what it sends again. */
export type ResendStyle = "dup" | "no-dup" | "renumber";

const WINDOW = 4;

/**
 * A broker with a session, a window and the lowest free identifier (which makes it reuse identifiers as often as it can), the wire to
 * it, the app's answers, and the checks of the invariants I1 to I5, I9 and I13 over all of it.
 */
export class BrokerModel {
	readonly #style: ResendStyle;
	/** Whether the broker's session knows our subscription. */
	#isSubscribed = false;
	#hasSession = false;
	#queue: Message[] = [];
	/** The broker's un-acknowledged messages, by identifier. */
	#inflight = new Map<number, Sent>();
	#isConnected = false;
	#arrivals = 0;
	/** Acknowledgements written and not yet read by the broker. */
	#wire: number[] = [];
	#disconnects = 0;
	#published = new Map<string, number>();
	#brokerLost = new Map<string, number>();
	#accepted = new Map<string, number>();
	#acked = new Map<string, number>();
	#failed = new Map<string, number>();
	#started = new Map<string, number>();
	#known = new Set<Attempt>();

	constructor(style: ResendStyle) {
		this.#style = style;
	}

	get isConnected(): boolean {
		return this.#isConnected;
	}

	/** Somebody publishes; it counts once the subscription is there. */
	publish(engine: Engine, content: string): void {
		if (this.#isSubscribed) {
			add(this.#published, content);
			this.#queue.push({ content });
		}
		this.#send(engine);
	}

	/** CONNECT and CONNACK, then redeliveries. */
	connect(engine: Engine, keepsSession: boolean): void {
		if (this.#isConnected) return;
		engine.connecting();
		const sessionPresent = this.#open(keepsSession);
		engine.connected(sessionPresent);
		if (engine.subscribes()) this.#isSubscribed = true;
		this.#isConnected = true;
		this.#arrivals = 0;
		this.#redeliver(engine);
		this.#send(engine);
		this.#collect(engine);
	}

	/** The broker has the connection and the session, and sends; we never read the CONNACK. */
	connectUnheard(engine: Engine, keepsSession: boolean): void {
		if (this.#isConnected) return;
		engine.connecting();
		this.#open(keepsSession);
	}

	disconnect(engine: Engine): void {
		if (!this.#isConnected) return;
		this.#isConnected = false;
		this.#disconnects++;
		this.#wire = [];
		for (const sent of this.#inflight.values()) {
			sent.arrival = -1;
			sent.acknowledged = false;
		}
		engine.disconnected();
		this.#noteStarts(engine);
	}

	/** The broker reads what we wrote, and goes on. */
	exchange(engine: Engine): void {
		if (!this.#isConnected) return;
		for (const packetId of this.#wire) this.#inflight.delete(packetId);
		this.#wire = [];
		this.#send(engine);
	}

	/** EMQX and NATS: the same PUBLISH again on the same connection. */
	copy(engine: Engine, pick: number): void {
		const open = [...this.#inflight].filter(([, sent]) => sent.arrival >= 0 && !sent.acknowledged);
		const chosen = open[pick % Math.max(1, open.length)];
		if (chosen === undefined || !this.#isConnected) return;
		engine.receive(publishPacket(chosen[0], chosen[1].message.content, true));
		this.#collect(engine);
	}

	/** The broker drops a message that we have not acknowledged and gives its identifier to another. */
	reuse(engine: Engine, pick: number, content: string): void {
		const open = [...this.#inflight].filter(([, sent]) => sent.arrival >= 0 && !sent.acknowledged);
		const chosen = open[pick % Math.max(1, open.length)];
		if (chosen === undefined || !this.#isConnected || !this.#isSubscribed) return;
		add(this.#brokerLost, chosen[1].message.content);
		add(this.#published, content);
		this.#inflight.set(chosen[0], { message: { content }, arrival: this.#arrivals++, acknowledged: false });
		engine.receive(publishPacket(chosen[0], content, false));
		this.#collect(engine);
	}

	/** The app answers one of the attempts it has. */
	answer(engine: Engine, pick: number, isAccepted: boolean): void {
		this.#noteStarts(engine);
		const attempt = engine.running[pick % Math.max(1, engine.running.length)];
		if (attempt === undefined) return;
		add(isAccepted ? this.#accepted : this.#failed, attempt.content);
		engine.end(attempt, isAccepted);
		this.#collect(engine);
	}

	/** All faults end: everything that the broker did not lose itself must be accepted and acknowledged. */
	heal(engine: Engine): void {
		for (let round = 0; round < 200; round++) {
			this.connect(engine, true);
			if (engine.running.length > 0) this.answer(engine, 0, true);
			this.exchange(engine);
			if (engine.running.length === 0 && this.#inflight.size === 0 && this.#queue.length === 0) break;
		}
		assert.ok(this.#isSubscribed, "I1 deaf: the session has no subscription of ours");
		assert.equal(this.#inflight.size, 0, "I9 wedged: something is never acknowledged");
		assert.equal(this.#queue.length, 0, "I9 wedged: something is never sent");
		for (const [content, published] of this.#published) {
			const due = published - (this.#brokerLost.get(content) ?? 0);
			assert.ok((this.#accepted.get(content) ?? 0) >= due, `I1 lost: ${content}`);
		}
	}

	#open(keepsSession: boolean): boolean {
		if (keepsSession && this.#hasSession) return true;
		for (const { content } of [...this.#queue, ...[...this.#inflight.values()].map(({ message }) => message)]) {
			add(this.#brokerLost, content);
		}
		this.#queue = [];
		this.#inflight.clear();
		this.#isSubscribed = false;
		this.#hasSession = true;
		return false;
	}

	#redeliver(engine: Engine): void {
		const again = [...this.#inflight];
		if (this.#style === "renumber") this.#inflight.clear();
		for (const [packetId, { message }] of again) {
			const id = this.#style === "renumber" ? this.#freeId() : packetId;
			this.#inflight.set(id, { message, arrival: this.#arrivals++, acknowledged: false });
			engine.receive(publishPacket(id, message.content, this.#style !== "no-dup"));
			this.#collect(engine);
		}
	}

	#send(engine: Engine): void {
		while (this.#isConnected && this.#inflight.size < WINDOW) {
			const message = this.#queue.shift();
			if (message === undefined) break;
			const packetId = this.#freeId();
			this.#inflight.set(packetId, { message, arrival: this.#arrivals++, acknowledged: false });
			engine.receive(publishPacket(packetId, message.content, false));
			this.#collect(engine);
		}
	}

	#freeId(): number {
		let packetId = 1;
		while (this.#inflight.has(packetId)) packetId++;
		return packetId;
	}

	#noteStarts(engine: Engine): void {
		for (const attempt of engine.running) {
			if (this.#known.has(attempt)) continue;
			this.#known.add(attempt);
			add(this.#started, attempt.content);
		}
		if (this.#disconnects > 0) return;
		for (const [content, started] of this.#started) {
			const reasons = (this.#published.get(content) ?? 0) + (this.#failed.get(content) ?? 0);
			assert.ok(started <= reasons, `I13 duplicate without a reconnect: ${content}`);
		}
	}

	#collect(engine: Engine): void {
		this.#noteStarts(engine);
		for (const packetId of engine.takeAcks()) {
			assert.ok(this.#isConnected, "I3 an acknowledgement without a connection");
			const sent = this.#inflight.get(packetId);
			assert.ok(sent !== undefined && sent.arrival >= 0, `I3 PUBACK ${packetId} for nothing sent on this connection`);
			assert.ok(!sent.acknowledged, `I5 second PUBACK ${packetId}`);
			const { content } = sent.message;
			add(this.#acked, content);
			assert.ok(
				(this.#acked.get(content) ?? 0) <= (this.#accepted.get(content) ?? 0),
				`I2 PUBACK ${packetId} before the app accepted ${content}`,
			);
			for (const [otherId, other] of this.#inflight) {
				const isOvertaken = other.arrival >= 0 && other.arrival < sent.arrival && !other.acknowledged;
				const isPassedOver = (this.#failed.get(other.message.content) ?? 0) > 0;
				assert.ok(!isOvertaken || isPassedOver, `I4 PUBACK ${packetId} overtakes ${otherId}`);
			}
			sent.acknowledged = true;
			this.#wire.push(packetId);
		}
	}
}

export function publishPacket(packetId: number, content: string, dup: boolean): PublishPacket {
	const payload = Buffer.from(content);
	return {
		type: "publish",
		topic: "t",
		payload,
		qos: 1,
		retain: false,
		dup,
		packetId,
		payloadSize: payload.length,
		skipped: false,
	};
}

function add(counts: Map<string, number>, key: string): void {
	counts.set(key, (counts.get(key) ?? 0) + 1);
}
