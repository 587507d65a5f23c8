import assert from "node:assert/strict";
import type { Packet } from "mqtt-packet";
import type { PublishError } from "../../src/errors.js";
import type { MemoryWire } from "./memory-wire.js";

/** One call of `create`, as its caller, the wire and the broker saw it. */
export interface Call {
	readonly text: string;
	readonly qos: 0 | 1 | 2;
	/** By the fake clock. */
	readonly deadline: number;
	readonly cancel: () => void;
	/** How often the caller was told something. */
	told: number;
	error: PublishError | undefined;
	/** PUBLISHes written. */
	written: number;
	packetId: number;
	/** PUBLISHes written before the session they were written in was lost do not count: it is published anew. */
	isAnew: boolean;
	/** PUBREC reached the client. */
	isReceived: boolean;
	/** PUBACK or PUBCOMP of it reached the client. */
	isAnswered: boolean;
	/** The broker may take it for an earlier one. */
	mayBeMistaken: boolean;
	/** How often the broker took it for a new message. */
	stored: number;
}

/** Stands between client and broker to play a client that is wrong. */
export interface ClientBend {
	/** What the client wrote → what the broker gets. */
	written(packets: readonly Packet[], broker: PublishBroker): readonly Packet[];
}

/** The receiving half of a broker's session. It reads and answers when told, and checks what the client writes. */
export class PublishBroker {
	readonly #wire: MemoryWire;
	readonly #bend: ClientBend | undefined;
	readonly calls = new Map<string, Call>();
	#hasSession = false;
	/** QoS 2 identifiers received and not released. */
	readonly #received = new Set<number>();
	/** QoS 2 publishes that this session took. */
	readonly #taken = new Set<Call>();
	#isConnected = false;
	#unread: Packet[] = [];
	#answers: Packet[] = [];
	/** Written on this connection and not answered, by identifier. */
	readonly #outstanding = new Map<number, Call>();
	/** The QoS 2 publish that was written last. */
	#handshake: Call | undefined;
	/**
	 * A PUBREL that no PUBREC preceded got lost. It is not repeated (docs/delivery.md), so what an earlier handshake left may still be
	 * there, and the broker may take the next publish for it.
	 */
	#hasLostClearing = false;
	/** Of the session that was resumed, in the order in which they were first written. */
	#again: Call[] = [];
	readonly #order: Call[] = [];
	readonly seen = { again: 0, anew: 0, unknown: 0, notSent: 0, succeeded: 0, refused: 0 };

	constructor(wire: MemoryWire, bend?: ClientBend) {
		this.#wire = wire;
		this.#bend = bend;
	}

	get isConnected(): boolean {
		return this.#isConnected;
	}

	get isIdle(): boolean {
		return this.#unread.length === 0 && this.#answers.length === 0;
	}

	open(keepsSession: boolean): boolean {
		if (keepsSession && this.#hasSession) return true;
		this.#hasSession = true;
		this.#received.clear();
		this.#taken.clear();
		return false;
	}

	greet(sessionPresent: boolean): void {
		this.#isConnected = true;
		const waiting = this.#order.filter(({ told, qos }) => told === 0 && qos === 1);
		this.#again = sessionPresent ? waiting : [];
		if (!sessionPresent) for (const call of this.calls.values()) call.isAnew = true;
		this.#wire.send({ cmd: "connack", returnCode: 0, sessionPresent });
	}

	gone(): void {
		const isClearing = this.#handshake?.isReceived !== true;
		if (isClearing && this.#unread.some(({ cmd }) => cmd === "pubrel")) this.#hasLostClearing = true;
		this.#isConnected = false;
		this.#unread = [];
		this.#answers = [];
		this.#outstanding.clear();
	}

	collect(): void {
		const packets = this.#wire.take();
		for (const packet of this.#bend?.written(packets, this) ?? packets) this.#written(packet);
	}

	/** Reads so many packets of those that were written. */
	read(count: number): void {
		for (const packet of this.#unread.splice(0, count)) this.#read(packet);
	}

	/** One of the answers reaches the client, in any order. */
	answer(pick: number): void {
		const [packet] = this.#answers.splice(pick % Math.max(1, this.#answers.length), 1);
		if (packet !== undefined) this.deliver(packet);
	}

	/** An answer reaches the client. */
	deliver(packet: Packet): void {
		const call = packet.cmd === "puback" ? this.#outstanding.get(packet.messageId!) : this.#handshake;
		if (call !== undefined) {
			if (packet.cmd === "pubrec") call.isReceived = true;
			else if (packet.cmd === "puback" || call.isReceived) call.isAnswered = true;
		}
		if (packet.cmd !== "pubrec") this.#outstanding.delete(packet.messageId!);
		this.#wire.send(packet);
	}

	/** The caller was told. */
	told(call: Call, error: PublishError | undefined): void {
		call.told++;
		call.error = error;
		const { text, qos } = call;
		assert.equal(call.told, 1, `I6 ${text} was settled twice`);
		if (error === undefined) {
			this.seen.succeeded++;
			if (qos === 0) assert.equal(call.written, 1, `I6 ${text} succeeded, and was not written once`);
			else assert.ok(call.isAnswered, `I6 ${text} succeeded without the broker's answer`);
			if (qos > 0 && !call.mayBeMistaken)
				assert.ok(call.stored > 0, `I6 ${text} succeeded, and the broker does not have it`);
			return;
		}
		if (error.pending) this.seen.refused++;
		if (error.outcome === "unknown") this.seen.unknown++;
		else this.seen.notSent++;
		if (error.outcome === "not-sent") assert.equal(call.written, 0, `I7 ${text} was written, and is said not to be`);
		else assert.ok(call.written > 0, `I7 ${text} was not written, and is said to be`);
	}

	checkDeadlines(): void {
		for (const { text, told, deadline } of this.calls.values()) {
			assert.ok(told > 0 || performance.now() <= deadline + 600, `I9 ${text} has no answer after its deadline`);
		}
	}

	#written(packet: Packet): void {
		if (packet.cmd === "pingreq") this.#wire.send({ cmd: "pingresp" });
		if (packet.cmd === "publish") this.#publishWritten(this.#callOf(packet), packet);
		if (packet.cmd === "publish" || packet.cmd === "pubrel") this.#unread.push(packet);
	}

	#publishWritten(call: Call, packet: Extract<Packet, { cmd: "publish" }>): void {
		const { text, qos } = call;
		assert.equal(call.told, 0, `I7 ${text} is written after its caller was told`);
		assert.ok(!call.isReceived, `[MQTT-4.3.3-1] ${text} is written after PUBREC`);
		const isAgain = call.written > 0 && !call.isAnew;
		assert.equal(packet.dup, isAgain, `[MQTT-3.3.1-1] DUP of ${text}`);
		if (qos > 0) {
			const packetId = packet.messageId!;
			if (isAgain) assert.equal(packetId, call.packetId, `[MQTT-4.4.0-1] ${text} again with another identifier`);
			assert.equal(
				this.#outstanding.get(packetId),
				undefined,
				`[MQTT-2.3.1-2] identifier ${packetId} for ${text} is in use`,
			);
			this.#outstanding.set(packetId, call);
			call.packetId = packetId;
		}
		if (qos === 2) {
			this.#handshake = call;
			call.mayBeMistaken = this.#hasLostClearing;
		}
		if (qos === 1) {
			while (this.#again[0] !== undefined && this.#again[0].told > 0) this.#again.shift();
			const due = this.#again.shift();
			if (due !== undefined) assert.equal(text, due.text, `[MQTT-4.6.0-1] ${text} is written before ${due.text}`);
		}
		if (isAgain) this.seen.again++;
		else if (call.written > 0) this.seen.anew++;
		if (call.written === 0) this.#order.push(call);
		call.written++;
		call.isAnew = false;
	}

	#read(packet: Packet): void {
		const { messageId } = packet;
		if (packet.cmd === "pubrel") {
			this.#received.delete(messageId!);
			this.#hasLostClearing = false;
			this.#answers.push({ cmd: "pubcomp", messageId: messageId! });
		} else if (packet.cmd === "publish") {
			const call = this.#callOf(packet);
			const isKnown = packet.qos === 2 && this.#received.has(messageId!);
			if (!isKnown) call.stored++;
			if (packet.qos === 2) {
				assert.ok(isKnown || !this.#taken.has(call), `${call.text} is twice in one session, at QoS 2`);
				this.#taken.add(call);
				this.#received.add(messageId!);
			}
			if (packet.qos > 0) this.#answers.push({ cmd: packet.qos === 1 ? "puback" : "pubrec", messageId: messageId! });
		}
	}

	#callOf(packet: Extract<Packet, { cmd: "publish" }>): Call {
		return this.calls.get(packet.payload.toString())!;
	}
}
