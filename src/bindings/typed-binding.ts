import { StateError } from "../errors.js";
import type { QoS } from "../mqtt/packet.js";
import {
	ACCEPTED,
	type HealthReason,
	type ReadHandler,
	type ReadResponse,
	type Report,
	type Verdict,
} from "./binding.js";
import { Mqtt3Binding } from "./mqtt3-binding.js";
import { type Mqtt3Options, optionWarnings, resolveOptions } from "./mqtt3-options.js";

/** A message on its way to a function. */
export interface Message {
	readonly topic: string;
	/** The payload, byte for byte. Valid after the handler as well. */
	readonly data: Uint8Array;
	readonly qos: QoS;
	/** It was stored by the broker before we subscribed. */
	readonly retained: boolean;
	/** The broker marked it as sent before. */
	readonly duplicate: boolean;
	/** 1 the first time; counts attempts that failed. */
	readonly attempt: number;
	/** The payload as UTF-8 text. */
	text(): string;
	/** The payload as JSON. Throws SyntaxError when it is none. */
	json(): unknown;
}

/** A message and the right to say what becomes of it: the first of ack() and nack() counts. */
export interface MessageDelivery extends Message {
	/** Accept: the broker may forget it. */
	ack(): void;
	/** Decline: an attempt that failed; tried again, held or dropped as the options say. */
	nack(reason?: string | Error): void;
}

/** Resolve or return: accepted. Reject or throw: declined. */
export type MessageHandler = (message: Message, signal: AbortSignal) => unknown;

/** What to publish. */
export interface CreateRequest {
	/** Text is sent as UTF-8; default an empty payload, which clears a retained message. */
	readonly data?: string | Uint8Array | undefined;
	/** Default: the binding's `topic`. */
	readonly topic?: string | undefined;
	/** Default: the binding's. */
	readonly retain?: boolean | undefined;
	/** Default: the binding's. */
	readonly qos?: QoS | undefined;
}

/** The input and output binding for a TypeScript program. */
export class TypedBinding implements AsyncDisposable {
	readonly #binding: Mqtt3Binding;
	readonly #signal: AbortSignal | undefined;
	/** Combinations of options that lose messages or fight each other, in words. */
	readonly warnings: readonly string[];
	readonly #abort = () => void this.close();
	readonly #closeListeners = new Set<() => void>();
	#closed: Promise<boolean> | undefined;

	/** Use createBinding(). */
	constructor(options: Mqtt3Options, signal?: AbortSignal) {
		const settings = resolveOptions(options);
		this.warnings = optionWarnings(options, settings);
		this.#binding = new Mqtt3Binding();
		this.#binding.configure(settings.clientId, settings);
		this.#signal = signal;
		signal?.throwIfAborted();
		signal?.addEventListener("abort", this.#abort, { once: true });
		this.#binding.start();
	}

	/**
	 * Hands every message to `handler`, at most `maxInFlight` at once. Resolves at once; the first call subscribes. Rejects with StateError
	 * when the binding is read already or closed.
	 */
	async receive(handler: MessageHandler): Promise<void> {
		await this.#read((event, signal) => {
			const result = handler(new ReceivedMessage(event), signal);
			return isPromise(result) ? result.then(() => ACCEPTED) : ACCEPTED;
		});
	}

	/**
	 * The messages one by one, with `ack()` and `nack()`; several may be open at a time. Ends when the binding closes. Leaving the loop stops
	 * the intake for good: what was not acknowledged stays with the broker. Rejects with StateError when the binding is read already or closed.
	 */
	async *deliveries(): AsyncGenerator<MessageDelivery, void, undefined> {
		const waiting: OpenDelivery[] = [];
		let wake = () => {};
		const open = (event: ReadResponse) =>
			new Promise<Verdict>((settle) => {
				waiting.push(new OpenDelivery(event, settle));
				wake();
			});
		const closing = () => wake();
		this.#closeListeners.add(closing);
		try {
			await this.#read(open);
			while (this.#closed === undefined) {
				const next = waiting.shift();
				if (next !== undefined) {
					yield next;
					continue;
				}
				await new Promise<void>((resolve) => {
					wake = resolve;
				});
			}
		} finally {
			this.#closeListeners.delete(closing);
			this.#binding.pause("the loop over the deliveries was left");
			for (const delivery of waiting) delivery.giveBack();
		}
	}

	/**
	 * Publishes. Resolves when the broker has acknowledged it (QoS 0: when it was written). Rejects with PublishError, whose `outcome` says
	 * whether the broker may have it, or ConfigurationError for a topic that can't be published to.
	 */
	async create({ data = "", topic, retain, qos }: CreateRequest, signal?: AbortSignal): Promise<void> {
		const metadata: Record<string, string> = {};
		if (topic !== undefined) metadata.topic = topic;
		if (retain !== undefined) metadata.retain = String(retain);
		if (qos !== undefined) metadata.qos = String(qos);
		const bytes = typeof data === "string" ? Buffer.from(data) : data;
		await this.#binding.invoke({ operation: "create", data: bytes, metadata }, signal);
	}

	/** Resolves when the broker is there and, if somebody reads, every filter is granted. Rejects when `signal` aborts or the binding closes. */
	async ready(signal?: AbortSignal): Promise<void> {
		while (this.health().some(({ blocking }) => blocking)) {
			signal?.throwIfAborted();
			if (this.#closed !== undefined) throw new StateError("the binding is closed");
			await this.#somethingHappens(signal);
		}
	}

	/** Why it is not, or not quite, in order; empty when all is well. */
	health(): readonly HealthReason[] {
		return this.#binding.health();
	}

	/**
	 * Listens to what happens: `report` is everything, any other name one kind of report by its code, as `connected`, `disconnected`,
	 * `subscribed`, `session-lost`, `held`, `dropped`, `stalled`. Returns the function that stops listening.
	 */
	on(event: "report" | (string & {}), listener: (report: Report) => void): () => void {
		return this.#binding.onReport((report) => {
			if (event === "report" || event === report.code) listener(report);
		});
	}

	/**
	 * Hands nothing more over, waits for handlers up to `graceMs` (default 5 s), acknowledges what they accepted and disconnects. What is
	 * unfinished stays with the broker. Idempotent. Resolves false when handlers were left running.
	 */
	close({ graceMs = 5_000 }: { readonly graceMs?: number } = {}): Promise<boolean> {
		if (this.#closed === undefined) {
			this.#closed = this.#close(graceMs);
			for (const listener of this.#closeListeners) listener();
		}
		return this.#closed;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.close();
	}

	async #close(graceMs: number): Promise<boolean> {
		this.#signal?.removeEventListener("abort", this.#abort);
		const grace = new AbortController();
		const timer = setTimeout(() => grace.abort(), graceMs);
		const isDrained = await this.#binding.drain(grace.signal);
		clearTimeout(timer);
		await this.#binding.close();
		return isDrained;
	}

	#somethingHappens(signal: AbortSignal | undefined): Promise<void> {
		return new Promise((resolve) => {
			const done = () => {
				off();
				this.#closeListeners.delete(done);
				signal?.removeEventListener("abort", done);
				resolve();
			};
			const off = this.#binding.onReport(done);
			this.#closeListeners.add(done);
			signal?.addEventListener("abort", done, { once: true });
		});
	}

	async #read(handler: ReadHandler): Promise<void> {
		if (this.#closed !== undefined) throw new StateError("the binding is closed");
		await this.#binding.read(handler);
	}
}

/**
 * Makes a binding and begins to connect. Throws ConfigurationError, which lists everything that is wrong, before anything is connected.
 * When `signal` aborts, the binding closes.
 */
export function createBinding(options: Mqtt3Options, signal?: AbortSignal): TypedBinding {
	return new TypedBinding(options, signal);
}

class ReceivedMessage implements Message {
	readonly #event: ReadResponse;

	constructor(event: ReadResponse) {
		this.#event = event;
	}

	get topic(): string {
		return this.#event.metadata.topic ?? "";
	}
	get data(): Uint8Array {
		return this.#event.data;
	}
	get qos(): QoS {
		return Number(this.#event.metadata.qos ?? 1) as QoS;
	}
	get retained(): boolean {
		return this.#event.metadata.retained === "true";
	}
	get duplicate(): boolean {
		return this.#event.metadata.duplicate === "true";
	}
	get attempt(): number {
		return Number(this.#event.metadata.attempt ?? 1);
	}
	text(): string {
		const { buffer, byteOffset, byteLength } = this.data;
		return Buffer.from(buffer, byteOffset, byteLength).toString("utf8");
	}
	json(): unknown {
		return JSON.parse(this.text());
	}
}

class OpenDelivery extends ReceivedMessage implements MessageDelivery {
	readonly #settle: (verdict: Verdict) => void;

	constructor(event: ReadResponse, settle: (verdict: Verdict) => void) {
		super(event);
		this.#settle = settle;
	}

	ack(): void {
		this.#settle(ACCEPTED);
	}

	nack(reason: string | Error = "declined"): void {
		this.#settle({ kind: "failed", error: reason instanceof Error ? reason : new Error(reason) });
	}

	/** Nobody looked at it. */
	giveBack(): void {
		this.#settle({ kind: "none" });
	}
}

function isPromise(value: unknown): value is Promise<unknown> {
	return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}
