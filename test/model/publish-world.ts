import assert from "node:assert/strict";
import { vi } from "vitest";
import type { PublishError } from "../../src/errors.js";
import { parseBrokerUrl } from "../../src/mqtt/broker-url.js";
import { MqttClient } from "../../src/mqtt/client.js";
import { MemoryWire } from "./memory-wire.js";
import { type Call, type ClientBend, PublishBroker } from "./publish-broker.js";

/** The real client between callers and a model of the broker. Time is fake. */
export class PublishWorld {
	readonly #wire = new MemoryWire();
	readonly broker: PublishBroker;
	readonly #client: MqttClient;
	#problem: Error | undefined;
	#calls = 0;

	constructor(bend?: ClientBend) {
		this.broker = new PublishBroker(this.#wire, bend);
		this.#client = new MqttClient({
			url: parseBrokerUrl("mqtt://model"),
			clientId: "model",
			cleanSession: false,
			keepAliveMs: 60_000,
			connectTimeoutMs: 10_000,
			publishTimeoutMs: 10_000,
			subscriptions: [],
			ackOrder: "arrival",
			maxBuffered: 1_000_000,
			maxPayloadSize: 1_000,
			dial: this.#wire.dial,
		});
		this.#client.connect().catch(() => {});
	}

	async settle(): Promise<void> {
		for (let quiet = 0; quiet < 2; ) {
			for (let turn = 0; turn < 8; turn++) await Promise.resolve();
			vi.advanceTimersByTime(0);
			this.broker.collect();
			const hadNews = this.#wire.pump();
			if (!this.#wire.isOpen) this.broker.gone();
			quiet = hadNews ? 0 : quiet + 1;
			if (this.#problem !== undefined) throw this.#problem;
		}
	}

	async pass(ms: number): Promise<void> {
		for (let left = ms; left > 0; left -= 500) {
			vi.advanceTimersByTime(Math.min(left, 500));
			await this.settle();
		}
		this.broker.checkDeadlines();
	}

	/** Calls `create`, so many times. */
	async create(qos: 0 | 1 | 2, timeoutMs: number, times = 1): Promise<void> {
		for (let count = 0; count < times; count++) this.#create(qos, timeoutMs);
		await this.settle();
	}

	async cancel(pick: number): Promise<void> {
		const open = this.#open();
		open[pick % Math.max(1, open.length)]?.cancel();
		await this.settle();
	}

	async read(count: number): Promise<void> {
		this.broker.read(count);
		await this.settle();
	}

	async answer(pick: number): Promise<void> {
		this.broker.answer(pick);
		await this.settle();
	}

	async cut(): Promise<void> {
		this.#wire.cut();
		await this.settle();
	}

	/** The socket takes no more, or takes more again. */
	async clog(isClogged: boolean): Promise<void> {
		this.#wire.clog(isClogged);
		await this.settle();
	}

	async connect(keepsSession: boolean): Promise<void> {
		if (this.broker.isConnected) return;
		await this.#awaitDial();
		this.broker.greet(this.broker.open(keepsSession));
		await this.settle();
	}

	/** The broker has the connection and the session; the CONNACK gets lost. */
	async connectUnheard(keepsSession: boolean): Promise<void> {
		if (this.broker.isConnected) return;
		await this.#awaitDial();
		this.broker.open(keepsSession);
		await this.cut();
	}

	/** All faults end: every caller is told, and new publishes succeed. */
	async heal(): Promise<void> {
		await this.#recover();
		const before = this.broker.seen.succeeded;
		await this.create(1, 60_000);
		await this.create(2, 60_000);
		await this.#recover();
		assert.equal(this.broker.seen.succeeded, before + 2, "I9 a new publish does not succeed");
	}

	/** The client is closed: every caller is told, and nothing is left. */
	async close(): Promise<void> {
		const closed = this.#client.close();
		await this.settle();
		await closed;
		assert.equal(this.#open().length, 0, "I9 a caller has no answer after close()");
		assert.equal(vi.getTimerCount(), 0, "I8 a timer is left after close()");
	}

	async #recover(): Promise<void> {
		const until = performance.now() + 120_000;
		await this.clog(false);
		while (this.#open().length > 0 || !this.broker.isIdle || !this.broker.isConnected) {
			await this.connect(true);
			await this.read(Number.POSITIVE_INFINITY);
			while (!this.broker.isIdle) {
				await this.answer(0);
				await this.read(Number.POSITIVE_INFINITY);
			}
			assert.ok(performance.now() < until, "I9 wedged");
			if (this.#open().length > 0) await this.pass(500);
		}
	}

	#create(qos: 0 | 1 | 2, timeoutMs: number): void {
		const text = `c${++this.#calls}`;
		const abort = new AbortController();
		const call: Call = {
			text,
			qos,
			deadline: performance.now() + timeoutMs,
			cancel: () => abort.abort(),
			told: 0,
			error: undefined,
			written: 0,
			packetId: 0,
			isAnew: false,
			isReceived: false,
			isAnswered: false,
			mayBeMistaken: false,
			stored: 0,
		};
		this.broker.calls.set(text, call);
		const message = { topic: "t", payload: Buffer.from(text), qos, retain: false };
		this.#client.publish(message, { signal: abort.signal, timeoutMs }).then(
			() => this.#told(call, undefined),
			(error: unknown) => this.#told(call, error as PublishError),
		);
	}

	#told(call: Call, error: PublishError | undefined): void {
		try {
			this.broker.told(call, error);
		} catch (problem) {
			this.#problem ??= problem as Error;
		}
	}

	#open(): Call[] {
		return [...this.broker.calls.values()].filter(({ told }) => told === 0);
	}

	async #awaitDial(): Promise<void> {
		const until = performance.now() + 60_000;
		while (!this.#wire.isDialling) {
			assert.ok(performance.now() < until, "I9 the client does not connect");
			await this.pass(500);
		}
		this.#wire.accept();
		await this.settle();
	}
}
