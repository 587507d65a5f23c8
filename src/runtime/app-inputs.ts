import { setMaxListeners } from "node:events";
import type { InputBinding, ReadHandler, Report } from "../bindings/binding.js";
import type { AppChannel } from "./app-channel.js";
import { type AppState, AppWatch, type HealthCheck } from "./app-watch.js";
import { FollowUps, type FollowUpsOptions } from "./follow-ups.js";
import { InputStarter } from "./input-starter.js";
import type { CallMeter, RuntimeHealth } from "./runtime.js";

/** An input and the component's name. */
export interface NamedInput {
	readonly name: string;
	readonly binding: InputBinding;
}

export interface AppInputsOptions {
	readonly channel: AppChannel;
	/** Those that may read. */
	readonly inputs: readonly NamedInput[];
	/** Absent: the app is not asked whether it is well. */
	readonly health?: HealthCheck | undefined;
	readonly onReport: (component: string | undefined, report: Report) => void;
	readonly meter?: CallMeter | undefined;
	/** Invokes the output bindings that an app names in its answer. */
	readonly invoke: FollowUpsOptions["invoke"];
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
	readonly #starters: readonly InputStarter[];

	constructor(options: AppInputsOptions) {
		this.#options = options;
		const { channel, inputs, health, onReport, invoke } = options;
		this.#followUps = new FollowUps({ invoke, onReport });
		setMaxListeners(0, this.#watching.signal, this.#asking.signal);
		this.#watch = new AppWatch(channel, (state) => this.#changed(state), this.#watching.signal, { health });
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
		this.#pause(troubles.away.reason);
		this.#report("info", "app-awaited", `looking for the app at ${this.#options.channel.address}`);
		this.#inBackground(this.#watch.run(), this.#watching.signal);
		for (const starter of this.#starters) {
			this.#inBackground(starter.run(this.#asking.signal), this.#asking.signal);
		}
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

	#handler(name: string, route: string): ReadHandler {
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
		const { channel, health, inputs } = this.#options;
		if (state === "open") {
			const words = health === undefined ? "listens" : "listens and is healthy";
			this.#report("info", "app-reachable", `the app at ${channel.address} ${words}`);
			for (const { binding } of inputs) binding.resume();
		} else {
			this.#pause(troubles[state].reason);
			this.#report("warn", troubles[state].code, this.#trouble(state));
		}
	}

	#pause(reason: string): void {
		for (const { binding } of this.#options.inputs) binding.pause(reason);
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
		return this.#watch.found && (this.#options.health !== undefined || this.#starters.every(({ asked }) => asked));
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
