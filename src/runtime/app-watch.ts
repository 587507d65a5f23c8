import { EventEmitter, once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { AppChannel } from "./app-channel.js";

/** Whether the app takes events, and if not, why. */
export type AppState =
	/** Nobody listens on its port, or nobody was found yet. */
	| "away"
	/** Its port is open, but it failed the health check. */
	| "unhealthy"
	/** Its port is open, and it passed the health check, if there is one. */
	| "open";

/** When the app is asked whether it is well, and what its answers mean. */
export interface HealthCheck {
	/** From the end of one probe to the next. */
	readonly intervalMs: number;
	/** So many failures in a row make the app unhealthy. One success makes it healthy. */
	readonly threshold: number;
}

export interface AppWatchOptions {
	/** Absent: an open port is enough. */
	readonly health?: HealthCheck | undefined;
	/** How often an open port is looked at while somebody waits for it to come back. Default 5 s. */
	readonly recheckMs?: number;
}

const defaultRecheckMs = 5_000;
const goneRecheckMs = 500;
const firstSetbackMs = 200;
const maxSetbackMs = 5_000;

/**
 * Knows whether the app takes events. Away at first; open once a connection was taken and, with a health check, a probe succeeded;
 * away again when somebody says `lost()`, unhealthy when probes fail. While it is open nothing else is tried,
 * unless somebody waits for it to go or to come back.
 */
export class AppWatch {
	readonly #channel: AppChannel;
	readonly #onChange: (state: AppState) => void;
	readonly #signal: AbortSignal;
	readonly #health: HealthCheck | undefined;
	readonly #recheckMs: number;
	readonly #changes = new EventEmitter().setMaxListeners(0);
	#state: AppState = "away";
	#since = new Date();
	#appearances = 0;
	/** Probes that failed in a row while it was open. */
	#failures = 0;
	/** How often the port came since the app last answered anything: an app that dies at each message must not be driven in a tight circle. */
	#setbacks = 0;
	#found = false;

	/** `onChange` is called before anybody who waits for a change hears of it. run() ends when `signal` aborts. */
	constructor(
		channel: AppChannel,
		onChange: (state: AppState) => void,
		signal: AbortSignal,
		options: AppWatchOptions = {},
	) {
		this.#channel = channel;
		this.#onChange = onChange;
		this.#signal = signal;
		this.#health = options.health;
		this.#recheckMs = options.recheckMs ?? defaultRecheckMs;
	}

	get state(): AppState {
		return this.#state;
	}

	/** Since when it is in this state. */
	get since(): Date {
		return this.#since;
	}

	/** True once the port was open. */
	get found(): boolean {
		return this.#found;
	}

	/** How often it became open. */
	get appearances(): number {
		return this.#appearances;
	}

	/** The app answered an event or a question, whatever it said. */
	answered(): void {
		this.#setbacks = 0;
	}

	/** Somebody found nobody listening. */
	lost(): void {
		if (this.#state === "open") this.#become("away");
	}

	/** Follows the app, for as long as it takes. Rejects when the signal aborts, and only then. */
	async run(): Promise<void> {
		await Promise.all([this.#comeAndGo(), this.#health && this.#probe(this.#health)]);
	}

	async #comeAndGo(): Promise<never> {
		for (;;) {
			if (this.#state === "away") await this.#findPort();
			if (this.#health === undefined || (await this.#channel.isHealthy(this.#signal))) {
				await this.#openUntilChange();
			} else {
				this.#become((await this.#channel.isPortOpen()) ? "unhealthy" : "away");
			}
			if (this.#state === "unhealthy") await this.#sleep(this.#health?.intervalMs);
		}
	}

	async #findPort(): Promise<void> {
		if (this.#setbacks > 0) await this.#sleep(Math.min(maxSetbackMs, firstSetbackMs * 2 ** (this.#setbacks - 1)));
		await this.#channel.waitForPort(this.#signal);
		this.#setbacks++;
		this.#found = true;
	}

	async #openUntilChange(): Promise<void> {
		this.#failures = 0;
		this.#appearances++;
		this.#become("open");
		if (this.#state === "open") await once(this.#changes, "change", { signal: this.#signal });
	}

	/** Asks an open app again and again whether it is still well. */
	async #probe({ intervalMs, threshold }: HealthCheck): Promise<never> {
		for (;;) {
			await this.#sleep(intervalMs);
			if (this.#state !== "open") continue;
			const appearance = this.#appearances;
			const isHealthy = await this.#channel.isHealthy(this.#signal);
			const isPortOpen = isHealthy || (await this.#channel.isPortOpen());
			// An answer from before it went says nothing of the app that came.
			if (this.#appearances !== appearance) continue;
			if (isHealthy) this.#failures = 0;
			else if (!isPortOpen) this.lost();
			else if (++this.#failures >= threshold && this.#state === "open") this.#become("unhealthy");
		}
	}

	#sleep(ms: number | undefined): Promise<void> {
		return sleep(ms, undefined, { signal: this.#signal });
	}

	#become(state: AppState): void {
		if (this.#state === state || this.#signal.aborted) return;
		this.#state = state;
		this.#since = new Date();
		this.#onChange(state);
		this.#changes.emit("change");
	}

	/** Resolves when the app is open, at once if it is. Rejects when `signal` aborts. */
	async untilOpen(signal: AbortSignal): Promise<void> {
		signal.throwIfAborted();
		while (this.#state !== "open") await once(this.#changes, "change", { signal });
	}

	/**
	 * Resolves when the app, after appearance number `appearance`, was not open and is again, or may be: one that starts again quickly shows
	 * in a connection that ends. Rejects when `signal` aborts.
	 */
	async untilReopened(appearance: number, signal: AbortSignal): Promise<void> {
		const over = new AbortController();
		const waiting = AbortSignal.any([signal, over.signal]);
		try {
			await Promise.race([
				this.#lookingWhile(() => this.#appearances === appearance, this.#recheckMs, waiting),
				this.#untilHangUp(waiting),
			]);
		} finally {
			over.abort();
		}
		await this.untilOpen(signal);
	}

	/** No sooner than after one recheck interval: an app may end every connection at once. */
	async #untilHangUp(signal: AbortSignal): Promise<void> {
		const soonest = sleep(this.#recheckMs, undefined, { signal });
		await Promise.all([this.#channel.untilHangUp(signal), soonest]);
		await this.#recheck();
	}

	/** Resolves when the app is not open, at once if it is not; its port is looked at every 500 ms meanwhile. Rejects when `signal` aborts. */
	async untilGone(signal: AbortSignal): Promise<void> {
		await this.#lookingWhile(() => this.#state === "open", goneRecheckMs, signal);
	}

	/** Waits for changes as long as `holds`, and looks at the open port meanwhile. */
	async #lookingWhile(holds: () => boolean, everyMs: number, signal: AbortSignal): Promise<void> {
		signal.throwIfAborted();
		const timer = setInterval(() => void this.#recheck(), everyMs);
		try {
			while (holds()) await once(this.#changes, "change", { signal });
		} finally {
			clearInterval(timer);
		}
	}

	async #recheck(): Promise<void> {
		if (this.#state === "open" && !(await this.#channel.isPortOpen())) this.lost();
	}
}
