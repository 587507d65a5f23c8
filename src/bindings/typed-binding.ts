import { ConfigurationError, StateError } from "../errors.js";
import type { QoS } from "../mqtt/packet.js";
import { ACCEPTED, type HealthReason, type ReadHandler, type Report, type Verdict } from "./binding.js";
import { type Message, type MessageDelivery, ReceivedMessage } from "./message.js";
import { Mqtt3Binding } from "./mqtt3-binding.js";
import { concernsConnection } from "./mqtt3-health.js";
import { type Mqtt3Options, optionWarnings, resolveOptions } from "./mqtt3-options.js";
import { OpenDeliveries } from "./open-deliveries.js";

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
			return isThenable(result) ? Promise.resolve(result).then(accepted) : ACCEPTED;
		});
	}

	/**
	 * The messages one by one, with `ack()` and `nack()`; several may be open at a time. Ends when the binding closes. Leaving the loop stops
	 * the intake for good: what was not acknowledged stays with the broker. Rejects with StateError when the binding is read already or closed.
	 */
	async *deliveries(): AsyncGenerator<MessageDelivery, void, undefined> {
		const open = new OpenDeliveries();
		await this.#read((event) => open.add(event));
		const closing = () => open.end();
		this.#closeListeners.add(closing);
		if (this.#closed !== undefined) closing();
		try {
			for (;;) {
				const next = await open.next();
				if (next === undefined) return;
				yield next;
			}
		} finally {
			this.#closeListeners.delete(closing);
			this.#binding.pause("the loop over the deliveries was left");
			open.end();
		}
	}

	/**
	 * Publishes. Resolves when the broker has acknowledged it (QoS 0: when it was written). Rejects with PublishError, whose `outcome` says
	 * whether the broker may have it, or ConfigurationError for a topic that can't be published to.
	 */
	async create(request: CreateRequest, signal?: AbortSignal): Promise<void> {
		checkRequest(request);
		const { data = "", topic, retain, qos } = request;
		const metadata: Record<string, string> = {};
		if (topic !== undefined) metadata.topic = topic;
		if (retain !== undefined) metadata.retain = String(retain);
		if (qos !== undefined) metadata.qos = String(qos);
		const bytes = typeof data === "string" ? Buffer.from(data) : data;
		await this.#binding.invoke({ operation: "create", data: bytes, metadata }, signal);
	}

	/** Resolves when the broker is there and, if somebody reads, every filter is granted. Rejects when `signal` aborts or the binding closes. */
	async ready(signal?: AbortSignal): Promise<void> {
		for (;;) {
			signal?.throwIfAborted();
			if (this.#closed !== undefined) throw new StateError("the binding is closed");
			if (!this.health().some((reason) => reason.blocking && concernsConnection(reason))) return;
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

/** What the compiler sees in TypeScript and nobody in JavaScript. */
function checkRequest(request: unknown): asserts request is CreateRequest {
	if (typeof request !== "object" || request === null) throw wrong("request", request, "an object");
	const { data, topic } = request as Readonly<Record<string, unknown>>;
	if (data !== undefined && typeof data !== "string" && !(data instanceof Uint8Array)) {
		throw wrong("data", data, "text or a Uint8Array; JSON.stringify() turns anything else into text");
	}
	if (topic !== undefined && typeof topic !== "string") throw wrong("topic", topic, "text");
}

function wrong(property: string, value: unknown, expected: string): ConfigurationError {
	const kind = value === null ? "null" : typeof value;
	return new ConfigurationError(`create: ${property} is ${kind}: expected ${expected}`, { property });
}

/**
 * Makes a binding and begins to connect. Throws ConfigurationError, which lists everything that is wrong, before anything is connected.
 * When `signal` aborts, the binding closes.
 */
export function createBinding(options: Mqtt3Options, signal?: AbortSignal): TypedBinding {
	return new TypedBinding(options, signal);
}

function accepted(): Verdict {
	return ACCEPTED;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
	return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}
