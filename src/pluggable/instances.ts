import type { Properties } from "../bindings/binding.js";
import { ConfigurationError } from "../errors.js";
import { HostedBinding, type OnReport } from "./hosted-binding.js";
import { type Half, Instance, InUseError } from "./instance.js";
import type { Memory } from "./memory.js";

/** More components than any daprd loads: beyond it somebody makes names up. */
const MAX_INSTANCES = 1_024;
/** Of a Kubernetes object's name. */
const MAX_NAME_BYTES = 253;

export interface InstancesOptions {
	readonly onReport: OnReport;
	/** Whether a connection is still open, by the peer's name. */
	readonly isConnected: (peer: string) => boolean;
	/** Absent: nothing is remembered over a restart. */
	readonly memory?: Memory | undefined;
}

/** The components by name, as daprds have initialized them. One or many daprds may use one process; names must differ. */
export class Instances {
	readonly #options: InstancesOptions;
	readonly #instances = new Map<string, Instance>();
	/** Inits run one after the other. */
	#turn: Promise<unknown> = Promise.resolve();
	/** Called without having been initialized, and reported. */
	readonly #strangers = new Set<string>();
	#isStopping = false;

	constructor(options: InstancesOptions) {
		this.#options = options;
	}

	get all(): readonly Instance[] {
		return [...this.#instances.values()];
	}

	/** The instance of this name; one that nobody has initialized when there is none. */
	get(name: string): Instance {
		const { onReport, isConnected } = this.#options;
		return this.#instances.get(name) ?? new Instance({ name, onReport, isConnected });
	}

	/**
	 * Init of one half: checks the properties and keeps them; connects to nothing. The same properties again change nothing. Rejects with
	 * ConfigurationErrors, and then all stays as it was; with InUseError when somebody reads that instance or uses the client identifier.
	 */
	init(name: string, half: Half, properties: Properties, peer: string | undefined): Promise<void> {
		const done = this.#turn.then(() => this.#init(name, half, properties, peer));
		this.#turn = done.catch(() => {});
		return done;
	}

	async #init(name: string, half: Half, properties: Properties, peer: string | undefined): Promise<void> {
		if (this.#isStopping) throw new InUseError("this component stops");
		checkName(name);
		const instance = this.get(name);
		const candidate = await HostedBinding.init(name, properties, this.#options.onReport, instance.bindings);
		await instance.untilUnread();
		this.#makeRoom(instance, candidate, peer);
		if (!this.#instances.has(name) && this.#instances.size >= MAX_INSTANCES) {
			throw new InUseError(`${instance.title}: there are ${MAX_INSTANCES} components in this process already`);
		}
		this.#instances.set(name, instance);
		const known = instance.find(properties);
		if (known === undefined) {
			// What the halves had with the same client identifier and other properties goes.
			for (const other of instance.bindings) if (other.clashesWith(candidate)) void instance.drop(other);
			instance.replace(half, candidate, peer);
			candidate.startsAfter(Promise.all(this.all.map(({ closing }) => closing)));
		} else {
			instance.replace(half, known, peer);
		}
		this.#strangers.delete(name);
		if (peer === undefined) return;
		const message = `daprd initialized the ${half}; it connects when it is first used`;
		this.#options.onReport(name, { level: "info", code: "initialized", message });
		await this.#options.memory?.remember(name, half, properties);
	}

	/** Other instances with the same client identifier: left over from a daprd that is gone they are closed, else they are in the way. */
	#makeRoom(instance: Instance, candidate: HostedBinding, peer: string | undefined): void {
		for (const other of this.all) {
			if (other === instance) continue;
			for (const hosted of other.bindings) {
				if (!hosted.clashesWith(candidate)) continue;
				if (other.isInUse || peer === undefined) {
					throw new InUseError(
						`${instance.title} and ${other.title} have the same broker and client identifier (consumerID): the broker would end one connection for the other again and again; give each its own, or set splitConnections`,
					);
				}
				void other.drop(hosted);
			}
		}
	}

	/** Initializes an instance with what is remembered of it, where that is so; else it reports what daprd has to do. */
	async recall(name: string, half: Half): Promise<void> {
		const { memory, onReport } = this.#options;
		if (this.get(name).has(half)) return;
		const properties = memory?.recall(name, half);
		if (properties === undefined) {
			this.#reportStranger(name, half);
			return;
		}
		await this.init(name, half, properties, undefined);
		const message = `the ${half} goes on with the properties that daprd sent before this process started (--state-dir)`;
		onReport(name, { level: "info", code: "properties-recalled", message });
	}

	/** Once for each name: its caller is told each time. */
	#reportStranger(name: string, half: Half): void {
		if (this.#strangers.has(name) || this.#strangers.size >= MAX_INSTANCES) return;
		this.#strangers.add(name);
		const remedy = this.#options.memory === undefined ? ", or run this component with --state-dir for its output" : "";
		const message = `daprd uses the ${half} and has not initialized it since this process started: restart daprd, or change the component's file${remedy}; until then nothing of its input is read`;
		this.#options.onReport(name, { level: "warn", code: "not-initialized", message });
	}

	/** Hands nothing more over, for good. Resolves false when events were left at the app because `signal` aborted. */
	async drain(signal: AbortSignal): Promise<boolean> {
		this.#isStopping = true;
		await this.#turn;
		const bindings = this.all.flatMap((instance) => instance.bindings);
		return (await Promise.all(bindings.map(({ binding }) => binding.drain(signal)))).every(Boolean);
	}

	/** Acknowledges what may be, disconnects in order. Never rejects. */
	async close(): Promise<void> {
		this.#isStopping = true;
		await Promise.all(this.all.flatMap((instance) => instance.bindings.map((hosted) => instance.drop(hosted))));
	}
}

function checkName(name: string): void {
	const bytes = Buffer.byteLength(name);
	if (bytes <= MAX_NAME_BYTES) return;
	throw new ConfigurationError(
		`x-component-instance: a component's name has at most ${MAX_NAME_BYTES} bytes, and this one has ${bytes}`,
		{ property: "x-component-instance" },
	);
}
