import assert from "node:assert/strict";
import type { Packet } from "mqtt-packet";
import type { Ledger, Message } from "./ledger.js";
import type { MemoryWire } from "./memory-wire.js";

/** How a broker marks and numbers what it sends again. */
export type ResendStyle = "dup" | "no-dup" | "renumber";

export interface BrokerRules {
	readonly style: ResendStyle;
	readonly qos: 1 | 2;
	/** Nothing overtakes anything. */
	readonly strict: boolean;
	/** What waits behind a passed-over delivery of its topic is passed over too. */
	readonly lanes: boolean;
	/** False where messages are passed by, which have no place in the order. */
	readonly checksOrder: boolean;
}

/** Stands between the binding and the broker to play a binding that is wrong. */
export interface Bend {
	/** What the binding wrote → what the broker gets. */
	written?(packet: Packet, broker: SessionBroker): readonly Packet[];
	/** What the broker sends → what the binding gets. */
	sent?(packet: Packet, broker: SessionBroker): readonly Packet[];
}

interface Sent {
	readonly message: Message;
	readonly packetId: number;
	/** QoS 2: this process wrote a PUBREC of it, here or on an earlier connection. */
	hasPubRec: boolean;
	/** The broker has our PUBREC, and sent PUBREL. */
	isReleased: boolean;
	/** Place on this connection; -1: not sent on it. */
	arrival: number;
	/** An acknowledgement of it may be written. */
	isDue: boolean;
	/** One was written on this connection. */
	isAcked: boolean;
	/** Since when a settled acknowledgement waits behind it. */
	blocksSince: number;
	/** Since when its own is justified. */
	settledAt: number;
}

const WINDOW = 4;
const NEVER = Number.POSITIVE_INFINITY;
/** Settled acknowledgements wait so long behind unsettled deliveries. */
const OVERDUE_MS = 10_000;

/**
 * A broker with a session, a window and the lowest free identifier (which makes it reuse identifiers as often as it can). It checks
 * what the binding writes against what was sent on the same connection.
 */
export class SessionBroker {
	readonly #rules: BrokerRules;
	readonly #ledger: Ledger;
	readonly #wire: MemoryWire;
	readonly #bend: Bend;
	#hasSession = false;
	#isSubscribed = false;
	#queue: Message[] = [];
	#inflight = new Map<number, Sent>();
	#isConnected = false;
	#arrivals = 0;
	/** Counts connections. */
	epoch = 0;
	#onlineSince = 0;
	/** What the binding wrote and the broker has not read. */
	#unread: Packet[] = [];
	/** PUBRELs sent on this connection whose PUBCOMP was not written, by identifier. */
	#released = new Map<number, number>();
	#hasDisconnected = false;
	/** Things worth having happened in a run. */
	readonly seen = { copies: 0, reused: 0, overtaken: 0, repeatedPubRecs: 0 };
	/** The binding closes: everything unfinished is passed over. */
	isClosing = false;
	/** Publishes of the binding are read, but not answered. */
	withholds = false;
	/** The contents of a topic that the app has now. */
	atApp: (topic: string) => readonly string[] = () => [];
	/** A publish of the binding is read, answered, or neither. */
	onPublish: (topic: string, payload: Buffer, step: "written" | "answered") => void = () => {};

	constructor(rules: BrokerRules, ledger: Ledger, wire: MemoryWire, bend: Bend = {}) {
		this.#rules = rules;
		this.#ledger = ledger;
		this.#wire = wire;
		this.#bend = bend;
	}

	get isConnected(): boolean {
		return this.#isConnected;
	}

	get isEmpty(): boolean {
		return this.#inflight.size === 0 && this.#queue.length === 0 && this.#unread.length === 0;
	}

	get isSubscribed(): boolean {
		return this.#isSubscribed;
	}

	/** A sentence of what is left, for messages. */
	get leftovers(): string {
		const open = [...this.#inflight.values()].map(({ message }) => message.content);
		return `in flight ${open.join(" ")}, queued ${this.#queue.map(({ content }) => content).join(" ")}`;
	}

	/** Somebody publishes; it counts once the subscription is there. */
	publish(message: Message): void {
		if (!this.#isSubscribed) return;
		this.#ledger.published(message);
		this.#queue.push(message);
		this.#sendNext();
	}

	/** CONNECT was read: the session is found, or made. */
	open(keepsSession: boolean): boolean {
		if (keepsSession && this.#hasSession) return true;
		const lost = [...this.#queue, ...[...this.#inflight.values()].map(({ message }) => message)];
		for (const { content } of lost) {
			this.#ledger.add(content, "brokerLost");
			this.#ledger.add(content, "sessionLost");
		}
		this.#queue = [];
		this.#inflight.clear();
		this.#isSubscribed = false;
		this.#hasSession = true;
		return false;
	}

	/** CONNACK, and what was not finished again. */
	greet(sessionPresent: boolean): void {
		this.#isConnected = true;
		this.#arrivals = 0;
		this.epoch++;
		this.#onlineSince = performance.now();
		this.#send({ cmd: "connack", returnCode: 0, sessionPresent });
		const again = [...this.#inflight.values()];
		if (this.#rules.style === "renumber") this.#inflight.clear();
		for (const sent of again) {
			if (sent.isReleased) {
				this.#release(sent.packetId);
				continue;
			}
			const packetId = this.#rules.style === "renumber" ? this.#freeId() : sent.packetId;
			this.#deliver(sent.message, packetId, this.#rules.style !== "no-dup", sent.hasPubRec);
		}
		this.#sendNext();
	}

	/** The connection is over. */
	gone(): void {
		if (!this.#isConnected) return;
		this.#noteOverdue();
		this.#isConnected = false;
		this.#hasDisconnected = false;
		this.#unread = [];
		this.#released.clear();
		for (const sent of this.#inflight.values()) {
			sent.arrival = -1;
			sent.isDue = false;
			if (!sent.isReleased) this.#ledger.add(sent.message.content, "resent");
		}
	}

	/** The process is gone, and what it remembered. */
	forgotten(): void {
		for (const sent of this.#inflight.values()) sent.hasPubRec = false;
		this.#ledger.processGone();
	}

	/** Takes what the binding wrote; acknowledgements and publishes wait until exchange(). */
	collect(): void {
		for (const written of this.#wire.take()) {
			for (const packet of this.#bend.written?.(written, this) ?? [written]) this.#collectOne(packet);
		}
	}

	/** The broker reads what was written, and goes on. */
	exchange(): void {
		if (!this.#isConnected) return;
		for (const packet of this.#unread.splice(0)) this.#read(packet);
		this.#sendNext();
	}

	/** EMQX and NATS: the same PUBLISH again on the same connection. */
	copy(pick: number): void {
		const open = this.#open().filter(({ isAcked, isReleased }) => (this.#rules.qos === 2 ? !isReleased : !isAcked));
		const chosen = open[pick % Math.max(1, open.length)];
		// Read late, behind our acknowledgement, it would be a message of its own.
		if (chosen === undefined || this.#wire.isPaused) return;
		chosen.isDue = true;
		this.seen.copies++;
		// A second PUBREC is settled, and waits in its turn behind everything.
		if (chosen.isAcked) this.#noteBlocked(Number.POSITIVE_INFINITY);
		this.#sendPublish(chosen.message, chosen.packetId, true);
	}

	/** The broker drops a message that we have not acknowledged and gives its identifier to another. */
	reuse(pick: number, message: Message): void {
		const open = this.#open().filter(({ isAcked }) => !isAcked);
		const chosen = open[pick % Math.max(1, open.length)];
		if (chosen === undefined || this.#wire.isPaused) return;
		this.seen.reused++;
		this.#ledger.add(chosen.message.content, "brokerLost");
		this.#ledger.published(message);
		this.#inflight.delete(chosen.packetId);
		this.#deliver(message, chosen.packetId, false);
	}

	/** `content` may be settled from now on, and is for certain if the app accepted what this connection brought. */
	settled(content: string, isCertain: boolean): void {
		for (const sent of this.#open()) {
			if (sent.message.content === content && !sent.isAcked) this.#noteSettled(sent, isCertain);
		}
	}

	/** The app refused it, or settled acknowledgements have waited for too long behind it. */
	passOver({ content, topic }: Pick<Message, "content" | "topic">): void {
		this.#ledger.passOver(content);
		if (!this.#rules.lanes) return;
		for (const { message, isAcked } of this.#open()) {
			if (message.topic === topic && !isAcked) this.#ledger.passOver(message.content);
		}
	}

	/** Whoever was connected for so long has acknowledged all that was settled for so long. */
	checkOverdue(): void {
		const now = performance.now();
		this.#noteOverdue();
		if (this.#rules.strict || !this.#isConnected || !this.#rules.checksOrder) return;
		for (const { message, settledAt, isAcked } of this.#open()) {
			if (isAcked || this.#ledger.of(message.content, "published") > 1) continue;
			const since = Math.max(settledAt, this.#onlineSince);
			assert.ok(
				now - since <= OVERDUE_MS + 2_500,
				`I9 settled for over 10 s, and not acknowledged: ${message.content}`,
			);
		}
	}

	/** An answer that the broker did not give. */
	answerFor(packet: Packet): void {
		this.#wire.send(packet);
	}

	#collectOne(packet: Packet): void {
		assert.ok(this.#isConnected || packet.cmd === "connect", `I3 ${packet.cmd} without a connection`);
		assert.ok(!this.#hasDisconnected, `I17 ${packet.cmd} after DISCONNECT`);
		switch (packet.cmd) {
			case "connect":
				assert.ok(packet.clean === false, "I15 a CONNECT that empties the session");
				return;
			case "subscribe":
				this.#isSubscribed = true;
				this.#send({
					cmd: "suback",
					messageId: packet.messageId!,
					granted: packet.subscriptions.map(({ qos }) => qos),
				});
				return;
			case "pingreq":
				this.#send({ cmd: "pingresp" });
				return;
			case "disconnect":
				this.#hasDisconnected = true;
				for (const unread of this.#unread.splice(0)) this.#read(unread);
				return;
			case "puback":
			case "pubrec":
				this.#acknowledged(packet.cmd, packet.messageId!);
				break;
			case "pubcomp": {
				const due = this.#released.get(packet.messageId!) ?? 0;
				assert.ok(due > 0, `a PUBCOMP ${packet.messageId} for no PUBREL of this connection`);
				this.#released.set(packet.messageId!, due - 1);
				break;
			}
			case "publish":
				this.onPublish(packet.topic, Buffer.from(packet.payload), "written");
		}
		this.#unread.push(packet);
	}

	#acknowledged(cmd: "puback" | "pubrec", packetId: number): void {
		const sent = this.#inflight.get(packetId);
		assert.ok(sent !== undefined && sent.arrival >= 0, `I3 ${cmd} ${packetId} for nothing sent on this connection`);
		assert.equal(cmd, this.#rules.qos === 1 ? "puback" : "pubrec", "the answer of another QoS");
		assert.ok(sent.isDue, `I5 second ${cmd} ${packetId}`);
		const { content } = sent.message;
		// A second PUBREC repeats the first.
		if (sent.hasPubRec) this.seen.repeatedPubRecs++;
		else this.#ledger.acknowledged(content);
		sent.hasPubRec = this.#rules.qos === 2;
		for (const other of this.#open()) {
			if (!this.#rules.checksOrder || other.arrival >= sent.arrival || other.isAcked) continue;
			this.seen.overtaken++;
			assert.ok(this.#mayBeOvertaken(other), `I4 ${content} (${cmd} ${packetId}) overtakes ${other.message.content}`);
		}
		sent.isDue = false;
		sent.isAcked = true;
	}

	#mayBeOvertaken({ message }: Sent): boolean {
		if (this.#rules.strict) return false;
		this.#noteOverdue();
		return this.isClosing || this.#ledger.isPassedOver(message.content);
	}

	#noteOverdue(): void {
		for (const { message, blocksSince } of this.#open()) {
			if (performance.now() - blocksSince >= OVERDUE_MS) this.passOver(message);
		}
	}

	#read(packet: Packet): void {
		if (packet.cmd === "puback") {
			this.#inflight.delete(packet.messageId!);
		} else if (packet.cmd === "pubrec") {
			const sent = this.#inflight.get(packet.messageId!);
			if (sent === undefined) return;
			sent.isReleased = true;
			this.#release(sent.packetId);
		} else if (packet.cmd === "pubcomp") {
			if (this.#inflight.get(packet.messageId!)?.isReleased) this.#inflight.delete(packet.messageId!);
		} else if (packet.cmd === "publish") {
			if (this.withholds || packet.qos !== 1) return;
			this.onPublish(packet.topic, Buffer.from(packet.payload), "answered");
			this.#send({ cmd: "puback", messageId: packet.messageId! });
		}
	}

	#sendNext(): void {
		while (this.#isConnected && !this.#hasDisconnected && this.#inflight.size < WINDOW) {
			const message = this.#queue.shift();
			if (message === undefined) return;
			this.#deliver(message, this.#freeId(), false);
		}
	}

	#deliver(message: Message, packetId: number, dup: boolean, hasPubRec = false): void {
		const sent: Sent = {
			message,
			packetId,
			hasPubRec,
			isReleased: false,
			arrival: this.#arrivals++,
			isDue: true,
			isAcked: false,
			blocksSince: NEVER,
			settledAt: NEVER,
		};
		if (this.#rules.lanes && this.#waitsBehindPassedOver(message)) this.#ledger.passOver(message.content);
		this.#ledger.sent(message);
		this.#inflight.set(packetId, sent);
		// What was accepted while it was an orphan needs DUP and its identifier to be known again.
		const isKnown = hasPubRec || (dup && this.#rules.style === "dup" && this.#ledger.isAccepted(message.content));
		if (isKnown || this.#ledger.isSettled(message.content)) this.#noteSettled(sent, isKnown);
		this.#sendPublish(message, packetId, dup);
	}

	#waitsBehindPassedOver({ topic, content }: Message): boolean {
		const others = this.#open().filter(({ message, isAcked }) => message.topic === topic && !isAcked);
		const ahead = [
			...others.map(({ message }) => message.content),
			...this.atApp(topic),
			...this.#ledger.lostAhead(topic),
		];
		return ahead.some((other) => other !== content && this.#ledger.isPassedOver(other));
	}

	#noteSettled(sent: Sent, isCertain: boolean): void {
		const now = performance.now();
		if (isCertain) sent.settledAt = Math.min(sent.settledAt, now);
		this.#noteBlocked(sent.arrival);
	}

	/** A settled acknowledgement waits behind whatever arrived earlier and is not acknowledged. */
	#noteBlocked(arrival: number): void {
		const now = performance.now();
		for (const other of this.#open()) {
			if (other.arrival < arrival) other.blocksSince = Math.min(other.blocksSince, now);
		}
	}

	#sendPublish({ content, topic, isOversized }: Message, messageId: number, dup: boolean): void {
		const payload = isOversized ? content.padEnd(MAX_PAYLOAD + 1) : content;
		this.#send({ cmd: "publish", topic, payload, qos: this.#rules.qos, messageId, dup, retain: false });
	}

	#release(packetId: number): void {
		this.#released.set(packetId, (this.#released.get(packetId) ?? 0) + 1);
		this.#send({ cmd: "pubrel", messageId: packetId });
	}

	#send(packet: Packet): void {
		for (const bent of this.#bend.sent?.(packet, this) ?? [packet]) this.#wire.send(bent);
	}

	/** Sent on this connection, and not finished. */
	#open(): Sent[] {
		return this.#isConnected ? [...this.#inflight.values()].filter(({ arrival }) => arrival >= 0) : [];
	}

	#freeId(): number {
		let packetId = 1;
		while (this.#inflight.has(packetId)) packetId++;
		return packetId;
	}
}

/** The largest payload that is delivered. */
export const MAX_PAYLOAD = 1_000;
