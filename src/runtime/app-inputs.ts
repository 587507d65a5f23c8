import { setMaxListeners } from "node:events";
import type { InputBinding, ReadHandler, Report } from "../bindings/binding.js";
import type { AppChannel } from "./app-channel.js";
import { AppWatch } from "./app-watch.js";
import { InputStarter } from "./input-starter.js";
import type { RuntimeHealth } from "./runtime.js";

/** An input and the component's name. */
export interface NamedInput {
	readonly name: string;
	readonly binding: InputBinding;
}

export interface AppInputsOptions {
	readonly channel: AppChannel;
	/** Those that may read. */
	readonly inputs: readonly NamedInput[];
	readonly onReport: (component: string | undefined, report: Report) => void;
}

const awayReason = "app unreachable";

/** The app's side of the host: finds the app, gets the inputs to read, hands events over, and pauses all inputs while nobody listens. */
export class AppInputs {
	readonly #options: AppInputsOptions;
	readonly #stop = new AbortController();
	readonly #watch: AppWatch;
	readonly #starters: readonly InputStarter[];
	#found = false;

	constructor(options: AppInputsOptions) {
		this.#options = options;
		const { channel, inputs, onReport } = options;
		setMaxListeners(0, this.#stop.signal);
		this.#watch = new AppWatch(
			channel,
			{ appAway: () => this.#away(), appBack: () => this.#back() },
			this.#stop.signal,
		);
		this.#starters = inputs.map(
			({ name, binding }) =>
				new InputStarter({
					name,
					binding,
					channel,
					watch: this.#watch,
					handler: this.#handler(name, binding.route),
					onReport: (report) => onReport(name, report),
				}),
		);
	}

	/** Begins, in the background. */
	start(): void {
		this.#pause();
		const message = `looking for the app at ${this.#options.channel.address}`;
		this.#options.onReport(undefined, { level: "info", code: "app-awaited", message });
		this.#inBackground(this.#watch.run());
		for (const starter of this.#starters) this.#inBackground(starter.run(this.#stop.signal));
	}

	/** Looks for the app and asks it no more. What reads goes on reading. */
	stop(): void {
		this.#stop.abort();
	}

	#inBackground(work: Promise<void>): void {
		work.catch((error: unknown) => {
			if (this.#stop.signal.aborted) return;
			const message = `looking for the app ended: ${error instanceof Error ? error.message : error}`;
			this.#options.onReport(undefined, { level: "error", code: "app-watch-failed", message });
		});
	}

	#handler(name: string, route: string): ReadHandler {
		const { channel } = this.#options;
		return async (event, signal) => {
			const verdict = await channel.sendBindingEvent(name, route, event, signal);
			if (verdict.kind === "accepted" || verdict.kind === "failed") this.#watch.answered();
			else if (verdict.kind === "unreachable" || verdict.crashed) this.#watch.lost();
			return verdict;
		};
	}

	#away(): void {
		this.#pause();
		this.#options.onReport(undefined, { level: "warn", code: "app-unreachable", message: this.#unreachable() });
	}

	#pause(): void {
		for (const { binding } of this.#options.inputs) binding.pause(awayReason);
	}

	#back(): void {
		this.#found = true;
		const message = `the app at ${this.#options.channel.address} listens`;
		this.#options.onReport(undefined, { level: "info", code: "app-reachable", message });
		for (const { binding } of this.#options.inputs) binding.resume();
	}

	#unreachable(): string {
		const { address, connectError } = this.#options.channel;
		const because = connectError === undefined ? "" : ` (${connectError})`;
		return `the app at ${address} does not listen since ${this.#watch.since.toISOString()}${because}: its events wait`;
	}

	/** True once the app's port was open and every input was asked about. */
	get started(): boolean {
		return this.#found && this.#starters.every((starter) => starter.asked);
	}

	/** Why the app gets no events, or not all. */
	reasons(): RuntimeHealth["reasons"] {
		if (!this.#watch.isOpen) {
			const blocking = this.#starters.some((starter) => !starter.declined);
			return [{ code: "app-unreachable", message: this.#unreachable(), blocking }];
		}
		return this.#starters.flatMap((starter) => {
			const reason = starter.health();
			return reason === undefined ? [] : [{ ...reason, component: starter.name }];
		});
	}
}
