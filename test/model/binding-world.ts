import assert from "node:assert/strict";
import { vi } from "vitest";
import type { ReadResponse, Verdict } from "../../src/bindings/binding.js";
import { Mqtt3Binding } from "../../src/bindings/mqtt3-binding.js";
import { type Mqtt3Options, resolveOptions } from "../../src/bindings/mqtt3-options.js";
import { Creates } from "./creates.js";
import { Ledger, type Message } from "./ledger.js";
import { MemoryWire } from "./memory-wire.js";
import { type Bend, MAX_PAYLOAD, type ResendStyle, SessionBroker } from "./session-broker.js";

export interface WorldOptions {
	readonly style?: ResendStyle;
	readonly qos?: 1 | 2;
	readonly exhausted?: "hold" | "drop" | "deadLetter";
	readonly retries?: number;
	readonly lanes?: boolean;
	/** Further options of the binding. */
	readonly options?: Partial<Mqtt3Options>;
	/** Smaller than the options allow. */
	readonly maxBuffered?: number;
	/** What the checks take for granted, where that is not what the binding is told: for controls. */
	readonly expected?: { readonly strict?: boolean; readonly lanes?: boolean; readonly handlerTimeoutMs?: number };
	/** A wrong binding. */
	readonly bend?: () => Bend & AppBend;
}

/** Stands between the app and the binding. */
export interface AppBend {
	/** What the app says → what the binding hears; undefined: nothing. */
	verdict?(verdict: Verdict): Verdict | undefined;
}

interface Attempt {
	readonly message: string;
	readonly topic: string;
	/** Of the connection on which it began. */
	readonly epoch: number;
	readonly settle: (verdict: Verdict) => void;
	/** By performance.now(). */
	readonly startedAt: number;
	/** Its time was over before it answered: what it says counts for nothing. */
	isLate: boolean;
}

const DEAD_LETTERS = "dead";
/** So long the binding waits for the PUBACK of a dead letter. */
const PUBLISH_TIMEOUT_MS = 10_000;
/** In which everything must be well after all faults have ended: back-off, hold interval, resumes. */
const HEALED_WITHIN_MS = 240_000;

/** The real binding, with its client and session, between a model of the broker and an app that answers when told. Time is fake. */
export class BindingWorld {
	readonly #given: WorldOptions;
	readonly wire = new MemoryWire();
	readonly ledger: Ledger;
	readonly broker: SessionBroker;
	readonly creates = new Creates();
	readonly #bend: Bend & AppBend;
	#binding!: Mqtt3Binding;
	#attempts: Attempt[] = [];
	/** When the app refused each content last: a dead letter of it follows then. */
	readonly #refusedAt = new Map<string, number>();
	#isDraining = false;
	#problem: Error | undefined;

	constructor(given: WorldOptions) {
		this.#given = given;
		const { retries = 0, exhausted = "hold", style = "dup", qos = 1, expected = {}, options = {} } = given;
		const lanes = expected.lanes ?? given.lanes ?? false;
		const strict = expected.strict ?? options.ackOrder === "strict";
		this.#bend = given.bend?.() ?? {};
		this.ledger = new Ledger({ retries, exhausted, lanes });
		const checksOrder = given.maxBuffered === undefined;
		this.broker = new SessionBroker({ style, qos, strict, lanes, checksOrder }, this.ledger, this.wire, this.#bend);
		this.broker.atApp = (topic) => this.#current.filter((one) => one.topic === topic).map(({ message }) => message);
		this.broker.onPublish = (topic, payload, step) => {
			if (topic !== DEAD_LETTERS) this.creates.seen(payload.toString(), step);
			else if (step === "answered") this.#deadLettered(deadContent(payload));
			else this.ledger.checkDeadLetter(deadContent(payload));
		};
	}

	/** How many attempts the app has. */
	get running(): number {
		return this.#attempts.length;
	}

	/** Attempts whose time is not over. */
	get #current(): readonly Attempt[] {
		return this.#attempts.filter(({ isLate }) => !isLate);
	}

	/** The first process begins. */
	async begin(): Promise<void> {
		this.#start();
		await this.connect(false);
	}

	/** Lets everything happen that needs no time to pass. */
	async settle(): Promise<void> {
		for (let quiet = 0; quiet < 2; ) {
			for (let turn = 0; turn < 8; turn++) await Promise.resolve();
			vi.advanceTimersByTime(0);
			this.broker.collect();
			const hadNews = this.wire.pump();
			if (!this.wire.isOpen) this.broker.gone();
			quiet = hadNews ? 0 : quiet + 1;
			if (this.#problem !== undefined) throw this.#problem;
		}
	}

	async pass(ms: number): Promise<void> {
		for (let left = ms; left > 0; left -= 500) {
			vi.advanceTimersByTime(Math.min(left, 500));
			await this.settle();
		}
		const timeoutMs = this.#timeoutMs;
		const forgotten = this.#current.find(({ startedAt }) => performance.now() - startedAt > timeoutMs);
		assert.equal(forgotten, undefined, `I8 at the app for longer than handlerTimeout: ${forgotten?.message}`);
		this.broker.checkOverdue();
	}

	async publish(message: Message): Promise<void> {
		this.broker.publish(message);
		await this.settle();
	}

	async connect(keepsSession: boolean): Promise<void> {
		if (this.broker.isConnected) return;
		await this.#awaitDial();
		const sessionPresent = this.broker.open(keepsSession);
		this.broker.greet(sessionPresent);
		await this.settle();
	}

	/** The broker has the connection and the session; the CONNACK gets lost. */
	async connectUnheard(keepsSession: boolean): Promise<void> {
		if (this.broker.isConnected) return;
		await this.#awaitDial();
		this.broker.open(keepsSession);
		this.wire.cut();
		await this.settle();
	}

	async cut(): Promise<void> {
		this.wire.cut();
		await this.settle();
	}

	async exchange(): Promise<void> {
		this.broker.exchange();
		await this.settle();
	}

	async copy(pick: number): Promise<void> {
		this.broker.copy(pick);
		await this.settle();
	}

	async reuse(pick: number, message: Message): Promise<void> {
		this.broker.reuse(pick, message);
		await this.settle();
	}

	/** The app answers one of the attempts it has. */
	async answer(pick: number, verdict: Verdict): Promise<void> {
		const attempt = this.#attempts[pick % Math.max(1, this.#attempts.length)];
		if (attempt === undefined) return;
		this.#attempts = this.#attempts.filter((one) => one !== attempt);
		if (!attempt.isLate) this.#note(attempt, verdict);
		const heard = this.#bend.verdict === undefined ? verdict : this.#bend.verdict(verdict);
		if (heard !== undefined) attempt.settle(heard);
		await this.settle();
	}

	#note({ message, topic, epoch }: Attempt, verdict: Verdict): void {
		// What is refused while stopping stays with the broker.
		const isRefused = verdict.kind === "failed" && !this.#isDraining;
		this.ledger.add(message, verdict.kind === "accepted" ? "accepted" : isRefused ? "failed" : "unasked");
		if (isRefused) {
			this.#refusedAt.set(message, performance.now());
			const { dropOn = [], deadLetterOn = [] } = this.#given.options ?? {};
			const status = String(verdict.status);
			if (dropOn.includes(status)) this.ledger.add(message, "dropped");
			if (deadLetterOn.includes(status)) this.ledger.add(message, "condemned");
			this.broker.passOver({ content: message, topic });
		}
		if (this.ledger.isSettled(message)) {
			const isOfThis = epoch === this.broker.epoch || (this.#given.style ?? "dup") === "dup";
			this.broker.settled(message, verdict.kind === "accepted" && isOfThis);
		}
	}

	/** The broker has a dead letter; its PUBACK is on the way. */
	#deadLettered(content: string): void {
		this.ledger.add(content, "deadLettered");
		const refusedAt = this.#refusedAt.get(content) ?? Number.NEGATIVE_INFINITY;
		// After that time its outcome is unknown, and the message stays held.
		if (performance.now() - refusedAt < PUBLISH_TIMEOUT_MS && !this.wire.isPaused) {
			this.ledger.add(content, "letterHeard");
			this.#refusedAt.delete(content);
		}
		this.broker.settled(content, false);
	}

	get #timeoutMs(): number {
		const { expected, options } = this.#given;
		return expected?.handlerTimeoutMs ?? options?.handlerTimeoutMs ?? Number.POSITIVE_INFINITY;
	}

	/** The binding gives an attempt up. */
	#aborted(attempt: Attempt): void {
		if (this.#isDraining || !this.#attempts.includes(attempt)) return;
		if (performance.now() - attempt.startedAt < this.#timeoutMs) {
			this.#problem ??= new Error(`given up before its time: ${attempt.message}`);
		}
		attempt.isLate = true;
		this.#note(attempt, { kind: "failed", error: new Error("handlerTimeout") });
	}

	/** The app can be reached again. */
	async resume(): Promise<void> {
		this.#binding.resume();
		await this.settle();
	}

	async create(text: string): Promise<void> {
		const data = Buffer.from(text);
		this.creates.called(text, this.#binding.invoke({ operation: "create", data, metadata: { topic: "out" } }));
		await this.settle();
	}

	/** SIGTERM: the app accepts and refuses so many of its attempts meanwhile, in turn; then another process begins. */
	async stop(answers: number): Promise<void> {
		const grace = new AbortController();
		this.#isDraining = true;
		const drained = this.#binding.drain(grace.signal);
		await this.settle();
		for (let count = 0; count < answers; count++) {
			await this.answer(
				count,
				count % 2 === 0 ? { kind: "accepted" } : { kind: "failed", error: new Error("status 500") },
			);
		}
		if (answers > 1) await this.exchange();
		grace.abort();
		await drained;
		this.broker.isClosing = true;
		const closed = this.#binding.close();
		await this.settle();
		await closed;
		assert.equal(vi.getTimerCount(), 0, "I8 a timer is left after close()");
		this.#restart();
		await this.settle();
	}

	/** `kill -9`: another process begins. */
	async crash(): Promise<void> {
		vi.clearAllTimers();
		this.#restart();
		await this.settle();
	}

	/** All faults end: everything that the broker did not lose itself must be handled and acknowledged, and new messages flow. */
	async heal(): Promise<void> {
		this.broker.withholds = false;
		await this.#recover("the messages before it");
		await this.publish({ content: "last", topic: "t/0" });
		await this.#recover("a new message");
		assert.equal(this.ledger.of("last", "acked"), 1, "I9 a new message is not acknowledged");
		this.ledger.checkNothingLost();
		this.creates.checkAllSettled();
	}

	/** Leaves nothing behind for the next world. */
	end(): void {
		vi.clearAllTimers();
	}

	async #recover(what: string): Promise<void> {
		const until = performance.now() + HEALED_WITHIN_MS;
		await this.connect(true);
		await this.resume();
		for (;;) {
			await this.connect(true);
			while (this.running > 0) await this.answer(0, { kind: "accepted" });
			await this.exchange();
			if (this.running === 0 && this.broker.isEmpty && this.creates.open === 0 && this.broker.isConnected) break;
			assert.ok(performance.now() < until, `I9 wedged on ${what}: ${this.broker.leftovers}`);
			if (this.running === 0) await this.pass(500);
		}
		assert.ok(this.broker.isSubscribed, "I1 deaf: the session has no subscription of ours");
	}

	async #awaitDial(): Promise<void> {
		const until = performance.now() + 60_000;
		while (!this.wire.isDialling) {
			assert.ok(performance.now() < until, "I9 the binding does not connect");
			await this.pass(500);
		}
		this.wire.accept();
		await this.settle();
	}

	#start(): void {
		const { exhausted = "hold", retries = 0, qos = 1, lanes = false, options = {}, maxBuffered } = this.#given;
		const settings = resolveOptions({
			url: "mqtt://model",
			topic: "t/+",
			clientId: "model",
			qos,
			maxInFlight: 8,
			maxPayloadSize: MAX_PAYLOAD,
			onOversized: "drop",
			backOffMaxRetries: retries,
			backOffIntervalMs: 1_000,
			onRetriesExhausted: exhausted as "hold",
			holdIntervalMs: 5_000,
			publishTimeoutMs: PUBLISH_TIMEOUT_MS,
			...dispositions(exhausted, lanes),
			...options,
		});
		this.#binding = new Mqtt3Binding({ dial: this.wire.dial });
		this.#binding.configure("model", maxBuffered === undefined ? settings : { ...settings, maxBuffered });
		void this.#binding.read((event, signal) => this.#called(event, signal));
	}

	#called({ data, metadata }: ReadResponse, signal: AbortSignal): Promise<Verdict> {
		const message = Buffer.from(data).toString();
		const topic = metadata.topic!;
		try {
			this.#checkCall(message, topic);
		} catch (error) {
			// Thrown here it would be taken for the app's refusal.
			this.#problem ??= error as Error;
		}
		return new Promise((settle) => {
			const startedAt = performance.now();
			const attempt = { message, topic, epoch: this.broker.epoch, settle, startedAt, isLate: false };
			this.#attempts.push(attempt);
			if (this.#timeoutMs < Number.POSITIVE_INFINITY) signal.addEventListener("abort", () => this.#aborted(attempt));
		});
	}

	#checkCall(message: string, topic: string): void {
		assert.ok(!this.#isDraining, "I17 handed over while stopping");
		this.ledger.started(message, topic);
		const { expected, lanes } = this.#given;
		const besides = this.#current.find((one) => one.topic === topic && (expected?.lanes ?? lanes));
		assert.equal(besides, undefined, `I14 ${message} beside another of its topic`);
		const twin = this.#current.find((one) => one.message === message);
		if (this.ledger.of(message, "published") === 1) assert.equal(twin, undefined, `I13 ${message} is at the app twice`);
	}

	#restart(): void {
		this.wire.crash();
		this.broker.gone();
		this.broker.forgotten();
		this.#attempts = [];
		this.#isDraining = false;
		this.broker.isClosing = false;
		this.creates.forget();
		this.#start();
	}
}

/** Options that are newer than the type that older ones stand in. */
function dispositions(exhausted: string, lanes: boolean): Readonly<Record<string, string>> {
	return {
		...(exhausted === "deadLetter" && { deadLetterTopic: DEAD_LETTERS }),
		...(lanes && { ordering: "topic" }),
	};
}

function deadContent(payload: Buffer): string {
	const letter = JSON.parse(payload.toString()) as { readonly payload: string };
	return Buffer.from(letter.payload, "base64").toString();
}
