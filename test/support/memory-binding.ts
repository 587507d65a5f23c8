import type {
	Binding,
	BindingStatistics,
	BrokerConnection,
	ComponentMetadata,
	HealthReason,
	InvokeRequest,
	InvokeResponse,
	ReadHandler,
	ReadResponse,
	Report,
	Verdict,
} from "../../src/bindings/binding.js";
import { StateError } from "../../src/errors.js";

export interface MemoryBindingOptions {
	readonly reads?: Binding["reads"];
	readonly writes?: boolean;
	readonly connections?: readonly BrokerConnection[];
	/** What init() returns, or rejects with. */
	readonly init?: readonly string[] | Error;
	readonly reasons?: readonly HealthReason[];
}

/** A binding without a broker that keeps the contract of `Binding`: the test puts events in and looks at what became of them. */
export class MemoryBinding implements Binding {
	readonly operations = ["create"];
	readonly reads: Binding["reads"];
	readonly writes: boolean;
	/** What init() got. */
	metadata: ComponentMetadata | undefined;
	readonly invoked: InvokeRequest[] = [];
	/** The verdicts of all attempts, in order. */
	readonly verdicts: Verdict[] = [];
	readonly accepted: ReadResponse[] = [];
	started = 0;
	closed = false;
	paused: string | undefined;
	isReading = false;
	readonly #options: MemoryBindingOptions;
	readonly #waiting: ReadResponse[] = [];
	readonly #running = new Set<Promise<void>>();
	readonly #closing = new AbortController();
	readonly #listeners = new Set<(report: Report) => void>();
	#connections: readonly BrokerConnection[] = [];
	#handler: ReadHandler | undefined;
	#draining = false;

	constructor(options: MemoryBindingOptions = {}) {
		this.#options = options;
		this.reads = options.reads ?? "ask";
		this.writes = options.writes ?? true;
	}

	get connections(): readonly BrokerConnection[] {
		return this.#connections;
	}

	get route(): string {
		return this.metadata?.name ?? "";
	}

	async init(metadata: ComponentMetadata): Promise<readonly string[]> {
		const { init = [], connections = [] } = this.#options;
		this.metadata = metadata;
		if (init instanceof Error) throw init;
		this.#connections = connections;
		return init;
	}

	start(): void {
		this.started++;
	}

	async ping(): Promise<void> {}

	health(): readonly HealthReason[] {
		return this.#options.reasons ?? [];
	}

	statistics(): BindingStatistics {
		return { connections: [], certificateDays: {}, isUnverified: false };
	}

	onReport(listener: (report: Report) => void): () => void {
		this.#listeners.add(listener);
		return () => this.#listeners.delete(listener);
	}

	report(report: Report): void {
		for (const listener of this.#listeners) listener(report);
	}

	async read(handler: ReadHandler): Promise<void> {
		if (this.#handler !== undefined) throw new StateError("reading already");
		this.#handler = handler;
		this.isReading = true;
		this.#flush();
	}

	/** An event from the broker. */
	deliver(text: string): void {
		this.#waiting.push({
			data: Buffer.from(text),
			metadata: { topic: "t" },
			contentType: "text/plain",
		});
		this.#flush();
	}

	#flush(): void {
		while (this.#handler !== undefined && this.paused === undefined && !this.#draining && !this.closed) {
			const event = this.#waiting.shift();
			if (event === undefined) return;
			const run = this.#attempt(this.#handler, event).finally(() => this.#running.delete(run));
			this.#running.add(run);
		}
	}

	async #attempt(handler: ReadHandler, event: ReadResponse): Promise<void> {
		const verdict = await handler(event, this.#closing.signal);
		this.verdicts.push(verdict);
		if (verdict.kind === "accepted") this.accepted.push(event);
		if (verdict.kind !== "none" && verdict.kind !== "unreachable") return;
		this.#waiting.unshift(event);
		setImmediate(() => this.#flush());
	}

	pause(reason: string): void {
		this.paused = reason;
	}

	resume(): void {
		this.paused = undefined;
		this.#flush();
	}

	async drain(signal: AbortSignal): Promise<boolean> {
		this.#draining = true;
		const aborted = new Promise<boolean>((resolve) => {
			if (signal.aborted) resolve(false);
			signal.addEventListener("abort", () => resolve(false), { once: true });
		});
		return Promise.race([Promise.all(this.#running).then(() => true), aborted]);
	}

	async invoke(request: InvokeRequest): Promise<InvokeResponse | undefined> {
		this.invoked.push(request);
		return undefined;
	}

	async close(): Promise<void> {
		this.closed = true;
		this.#closing.abort();
	}
}
