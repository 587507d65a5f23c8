import { setMaxListeners } from "node:events";
import type { InputBinding, ReadHandler, ReadResponse, Report, Verdict } from "../bindings/binding.js";
import type { Policy } from "../resiliency/policy.js";
import type { AppChannel } from "./app-channel.js";
import { type AppState, AppWatch, type HealthCheck } from "./app-watch.js";
import { breakerPause } from "./breaker-pause.js";
import { FollowUps, type FollowUpsOptions } from "./follow-ups.js";
import { guardedDelivery } from "./guarded-delivery.js";
import { InputStarter } from "./input-starter.js";
import type { CallMeter, RuntimeHealth } from "./runtime.js";

/** An input and the component's name. */
export interface NamedInput {
	readonly name: string;
	readonly binding: InputBinding;
	/** The app has said that it wants its events: it is not asked again. */
	readonly isWanted?: boolean;
}

export interface AppInputsOptions {
	readonly channel: AppChannel;
	/** Those that may read. */
	readonly inputs: readonly NamedInput[];
	/** Absent: the app is not asked whether it is well. */
	readonly health?: HealthCheck | undefined;
	readonly onReport: (component: string | undefined, report: Report) => void;
	readonly meter?: CallMeter | undefined;
	/** The policies around the deliveries of one component; undefined: none. */
	readonly policyFor: (component: string) => Policy | undefined;
	/** Invokes the output bindings that an app names in its answer. */
	readonly invoke: FollowUpsOptions["invoke"];
}

interface StartedInput {
	readonly binding: InputBinding;
	readonly starter: InputStarter;
	/** Ends the asking for this one. */
	readonly ending: AbortController;
}

/** Why an app takes no events: for machines, for the bindings and for people. */
const troubles = {
	away: { code: "app-unreachable", reason: "app unreachable", words: "does not listen" },
	unhealthy: { code: "app-unhealthy", reason: "app unhealthy", words: "is not healthy" },
} as const;

/** The app's side of the host: finds the app, gets the inputs to read, hands events over, and pauses all inputs while it takes none. */
export class AppInputs {
	readonly #options: AppInputsOptions;
	readonly #watching = new AbortController();
	readonly #asking = new AbortController();
	readonly #watch: AppWatch;
	readonly #followUps: FollowUps;
	/** By component. */
	readonly #inputs = new Map<string, StartedInput>();
	#hasStarted = false;

	constructor(options: AppInputsOptions) {
		this.#options = options;
		const { channel, inputs, health, onReport, invoke } = options;
		this.#followUps = new FollowUps({ invoke, onReport });
		setMaxListeners(0, this.#watching.signal, this.#asking.signal);
		this.#watch = new AppWatch(channel, (state) => this.#changed(state), this.#watching.signal, { health });
		for (const input of inputs) this.#inputs.set(input.name, this.#prepare(input));
	}

	#prepare({ name, binding, isWanted = false }: NamedInput): StartedInput {
		const { channel, onReport } = this.#options;
		const ending = new AbortController();
		const starter = new InputStarter({
			name,
			binding,
			isWanted,
			channel,
			watch: this.#watch,
			handler: this.#handler(name, binding, AbortSignal.any([this.#asking.signal, ending.signal])),
			onReport: (report) => onReport(name, report),
		});
		return { binding, starter, ending };
	}

	/** Begins, in the background. */
	start(): void {
		this.#pause(troubles.away.reason);
		this.#report("info", "app-awaited", `looking for the app at ${this.#options.channel.address}`);
		this.#inBackground(this.#watch.run(), this.#watching.signal);
		for (const input of this.#inputs.values()) this.#ask(input);
	}

	#ask({ starter, ending }: StartedInput): void {
		const signal = AbortSignal.any([this.#asking.signal, ending.signal]);
		this.#inBackground(starter.run(signal), signal);
	}

	/** One more input, once start() was called; of the same name there must be none. */
	add(input: NamedInput): void {
		const prepared = this.#prepare(input);
		this.#inputs.set(input.name, prepared);
		const { state } = this.#watch;
		if (state !== "open") input.binding.pause(troubles[state].reason);
		this.#ask(prepared);
	}

	/** Asks for this input no more. Returns whether the app gets its events. What reads goes on reading. */
	remove(name: string): boolean {
		const input = this.#inputs.get(name);
		this.#inputs.delete(name);
		input?.ending.abort();
		return input?.starter.isReading ?? false;
	}

	/** Asks the app for no more events. What reads goes on reading, and the app is watched. */
	stop(): void {
		this.#asking.abort();
	}

	/** Ends all that goes on in the background. */
	close(): void {
		this.#asking.abort();
		this.#watching.abort();
	}

	/** Resolves when the app's port is closed or the app is unhealthy, at once if it is so, and when close() is called. */
	async untilGone(): Promise<void> {
		// It rejects only when close() is called.
		await this.#watch.untilGone(this.#watching.signal).catch(() => {});
	}

	#inBackground(work: Promise<void>, signal: AbortSignal): void {
		work.catch((error: unknown) => {
			if (signal.aborted) return;
			const message = `looking for the app ended: ${error instanceof Error ? error.message : error}`;
			this.#report("error", "app-watch-failed", message);
		});
	}

	#report(level: Report["level"], code: string, message: string): void {
		this.#options.onReport(undefined, { level, code, message });
	}

	#handler(name: string, binding: InputBinding, ending: AbortSignal): ReadHandler {
		const { policyFor } = this.#options;
		const deliver = this.#deliverer(name, binding.route);
		const onHeldBack = breakerPause(binding, () => this.#watch.state === "open");
		return (event, signal) => {
			const policy = policyFor(name);
			if (policy === undefined) return deliver(event, signal);
			return guardedDelivery({ policy, event, deliver, signal, ending, onHeldBack });
		};
	}

	#deliverer(name: string, route: string): (event: ReadResponse, signal: AbortSignal) => Promise<Verdict> {
		const { channel, meter } = this.#options;
		return async (event, signal) => {
			const startedAt = meter === undefined ? 0 : performance.now();
			const verdict = await channel.sendBindingEvent(name, route, event, signal);
			if (verdict.kind === "accepted" || verdict.kind === "failed") {
				this.#watch.answered();
				meter?.delivered(name, performance.now() - startedAt, verdict.kind === "accepted");
				if ("response" in verdict) await this.#followUps.run(name, verdict.response, signal);
			} else if (verdict.kind === "unreachable" || (verdict.kind === "none" && verdict.crashed)) this.#watch.lost();
			return verdict;
		};
	}

	#changed(state: AppState): void {
		const { channel, health } = this.#options;
		if (state === "open") {
			const words = health === undefined ? "listens" : "listens and is healthy";
			this.#report("info", "app-reachable", `the app at ${channel.address} ${words}`);
			for (const { binding } of this.#inputs.values()) binding.resume();
		} else {
			this.#pause(troubles[state].reason);
			this.#report("warn", troubles[state].code, this.#trouble(state));
		}
	}

	#pause(reason: string): void {
		for (const { binding } of this.#inputs.values()) binding.pause(reason);
	}

	#trouble(state: keyof typeof troubles): string {
		const { channel } = this.#options;
		const why = state === "away" ? channel.connectError : channel.healthError;
		const because = why === undefined ? "" : ` (${why})`;
		const since = this.#watch.since.toISOString();
		return `the app at ${channel.address} ${troubles[state].words} since ${since}${because}: its events wait`;
	}

	/** True once the app's port was open and, without a health check, every input was asked about. */
	get started(): boolean {
		// dapr: pkg/runtime/runtime.go, an app that is never well does not keep its sidecar from starting.
		this.#hasStarted ||=
			this.#watch.found && (this.#options.health !== undefined || this.#starters.every(({ asked }) => asked));
		// An input that is added later does not take it back.
		return this.#hasStarted;
	}

	get #starters(): readonly InputStarter[] {
		return [...this.#inputs.values()].map(({ starter }) => starter);
	}

	/** Whether the app takes events. */
	get state(): AppState {
		return this.#watch.state;
	}

	/** Whether the app wants no events of this component. */
	declines(name: string): boolean {
		return this.#starters.some((starter) => starter.name === name && starter.declined);
	}

	/** Why the app gets no events, or not all. */
	reasons(): RuntimeHealth["reasons"] {
		const { state } = this.#watch;
		if (state !== "open") {
			const blocking = this.#starters.some((starter) => !starter.declined);
			return [{ code: troubles[state].code, message: this.#trouble(state), blocking }];
		}
		return this.#starters.flatMap((starter) => {
			const reason = starter.health();
			return reason === undefined ? [] : [{ ...reason, component: starter.name }];
		});
	}
}
