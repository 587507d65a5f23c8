import { setTimeout as delay } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import type { Cancellation, HealthReason, InvokeRequest, Properties, ReadHandler } from "../bindings/binding.js";
import { StateError } from "../errors.js";
import type { HostedBinding, OnReport } from "./hosted-binding.js";
import type { ReadStream } from "./read-stream.js";

/** Dapr's two kinds of binding: each is initialized by itself. */
export type Half = "input" | "output";

/** daprd ends Read before it sends Init again, on another connection: so long its end may take to come through. */
const READ_ENDS_WITHIN_MS = 1_000;
/** Nobody reads: nothing is handed over, nothing is acknowledged. */
const UNREAD = "daprd does not read";
/** How long a Ping waits for the broker. */
const PING_PATIENCE_MS = 5_000;
const PING_EVERY_MS = 50;

/** An instance is in use by somebody else. */
export class InUseError extends StateError {}

interface Initialized {
	readonly hosted: HostedBinding;
	/** The connection that Init came on; undefined: properties that were remembered. */
	readonly peer: string | undefined;
}

export interface InstanceOptions {
	/** The component's name, as daprd sends it; may be empty. */
	readonly name: string;
	readonly onReport: OnReport;
	readonly isConnected: (peer: string) => boolean;
}

/** What daprd calls a component: an input and an output of one name, initialized apart. With equal properties they share one connection. */
export class Instance {
	readonly name: string;
	readonly #options: InstanceOptions;
	readonly #halves = new Map<Half, Initialized>();
	#stream: ReadStream | undefined;
	/** Bindings that are being closed. */
	#closing: Promise<void> = Promise.resolve();

	constructor(options: InstanceOptions) {
		this.name = options.name;
		this.#options = options;
	}

	/** Its bindings, each once. */
	get bindings(): readonly HostedBinding[] {
		return [...new Set([...this.#halves.values()].map(({ hosted }) => hosted))];
	}

	/** Whether somebody uses it: reads, or holds the connection on which it was initialized. */
	get isInUse(): boolean {
		if (this.isRead) return true;
		return [...this.#halves.values()].some(({ peer }) => peer !== undefined && this.#options.isConnected(peer));
	}

	get isRead(): boolean {
		return this.#stream?.isOver === false;
	}

	has(half: Half): boolean {
		return this.#halves.has(half);
	}

	/** In words that lead on: `component "orders"`. */
	get title(): string {
		return `component ${JSON.stringify(this.name)}`;
	}

	/** Resolves when nobody reads any more; rejects with InUseError when somebody goes on. */
	async untilUnread(): Promise<void> {
		if (this.#stream === undefined || this.#stream.isOver) return;
		const patience = new AbortController();
		await Promise.race([
			this.#stream.over,
			delay(READ_ENDS_WITHIN_MS, undefined, { signal: patience.signal }).catch(() => {}),
		]);
		patience.abort();
		if (this.isRead) {
			throw new InUseError(
				`${this.title} is read by another daprd: use one socket folder per app (DAPR_COMPONENTS_SOCKETS_FOLDER), or another component name`,
			);
		}
	}

	/** Takes `hosted` for this half; what it replaces is closed, and nothing of it is connected when the new one connects. */
	replace(half: Half, hosted: HostedBinding, peer: string | undefined): void {
		const before = this.#halves.get(half)?.hosted;
		this.#halves.set(half, { hosted, peer });
		if (before === hosted) return;
		// The other half follows with its own Init; until then it has none.
		if (before !== undefined) this.drop(before);
	}

	/** Closes one of its bindings; the halves that used it are uninitialized. */
	drop(hosted: HostedBinding): Promise<void> {
		for (const [half, { hosted: used }] of this.#halves) if (used === hosted) this.#halves.delete(half);
		this.#closing = Promise.all([this.#closing, hosted.close().catch(() => {})]).then(() => {});
		return this.#closing;
	}

	/** What of it is still closing. */
	get closing(): Promise<void> {
		return this.#closing;
	}

	/** One of its bindings that was initialized with these properties and is open. */
	find(properties: Properties): HostedBinding | undefined {
		return this.bindings.find((hosted) => !hosted.isClosed && hosted.hasProperties(properties));
	}

	/** Events go to `stream` from now on, and no more to one before it. Rejects with StateError where there is no input. */
	async read(stream: ReadStream): Promise<void> {
		const { hosted } = this.#initialized("input");
		const before = this.#stream;
		this.#stream = stream;
		before?.end(status.ABORTED, `${this.title}: another Read took over`);
		void stream.over.then(() => {
			if (this.#stream !== stream) return;
			hosted.binding.pause(UNREAD);
			const message = "daprd ended its Read: nothing is handed over until it reads again, the broker keeps what comes";
			this.#options.onReport(this.name, { level: "info", code: "read-ended", message });
		});
		const handler: ReadHandler = (event, signal) => this.#stream?.send(event, signal) ?? { kind: "none" };
		await hosted.read(handler);
		// It may have ended meanwhile: what its end paused must stay so.
		if (stream.isOver && this.#stream === stream) hosted.binding.pause(UNREAD);
	}

	/** Ends the Read that is open, if there is one. */
	endRead(code: status, details: string): void {
		this.#stream?.end(code, details);
	}

	/** Rejects as the binding does, with StateError where there is no output. */
	async invoke(request: InvokeRequest, caller: Cancellation): Promise<void> {
		const { hosted } = this.#initialized("output");
		if (!hosted.isStarted) await hosted.start();
		await hosted.binding.invoke(request, caller);
	}

	/** Whether data that came as bytes is JSON text to which `encoding` applies: where the component names one. */
	get hasEncoding(): boolean {
		return this.#initialized("output").hosted.binding.settings.encoding !== "json";
	}

	/** Connects if it has not, and resolves when the half can do its work; rejects with the reason after at most 5 s, or when its caller leaves. */
	async ping(half: Half, caller: Cancellation): Promise<void> {
		const { hosted } = this.#initialized(half);
		await hosted.start();
		for (const until = performance.now() + PING_PATIENCE_MS; ; ) {
			try {
				await hosted.binding.ping();
				return;
			} catch (error) {
				if (caller.aborted || performance.now() > until) throw error;
				await delay(PING_EVERY_MS);
			}
		}
	}

	health(): readonly HealthReason[] {
		return this.bindings.flatMap(({ binding }) => binding.health());
	}

	#initialized(half: Half): Initialized {
		const found = this.#halves.get(half);
		if (found !== undefined) return found;
		const other = this.#halves.has(half === "input" ? "output" : "input");
		const why = other
			? `the ${half} of ${this.title} is not initialized`
			: `${this.title} is not initialized in this process`;
		throw new StateError(
			`${why}: daprd sends Init only when it starts, or when the component's file changes: restart daprd${half === "output" ? ", or run this component with --state-dir" : ""}`,
		);
	}
}
