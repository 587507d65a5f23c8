import { EventEmitter, once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { AppChannel } from "./app-channel.js";

/** What happens when the app's port goes and comes. Called before anybody who waits for it hears. */
export interface AppWatchListener {
	appAway(): void;
	appBack(): void;
}

const defaultRecheckMs = 5_000;
const firstSetbackMs = 200;
const maxSetbackMs = 5_000;

/**
 * Knows whether the app's port is open: away at first, open once a connection was taken, away again when somebody says `lost()`.
 * While it is open, nothing is tried unless somebody waits for it to come back.
 */
export class AppWatch {
	readonly #channel: AppChannel;
	readonly #listener: AppWatchListener;
	readonly #signal: AbortSignal;
	readonly #recheckMs: number;
	readonly #changes = new EventEmitter().setMaxListeners(0);
	#open = false;
	#since = new Date();
	#appearances = 0;
	/** How often the port came since the app last answered anything: an app that dies at each message must not be driven in a tight circle. */
	#setbacks = 0;

	/** All waiting ends when `signal` aborts. `recheckMs`: how often an open port is looked at while somebody waits for it to come back, default 5 s. */
	constructor(channel: AppChannel, listener: AppWatchListener, signal: AbortSignal, recheckMs = defaultRecheckMs) {
		this.#channel = channel;
		this.#listener = listener;
		this.#signal = signal;
		this.#recheckMs = recheckMs;
	}

	get isOpen(): boolean {
		return this.#open;
	}

	/** Since when it is open or away. */
	get since(): Date {
		return this.#since;
	}

	/** How often the port was found open after it had been away. */
	get appearances(): number {
		return this.#appearances;
	}

	/** The app answered, whatever it said. */
	answered(): void {
		this.#setbacks = 0;
	}

	/** Somebody found nobody listening. */
	lost(): void {
		if (!this.#open || this.#signal.aborted) return;
		this.#open = false;
		this.#since = new Date();
		this.#listener.appAway();
		this.#changes.emit("lost");
	}

	/** Looks for the port, for as long as it takes, again and again. Rejects when the signal aborts, and only then. */
	async run(): Promise<never> {
		const signal = this.#signal;
		for (;;) {
			if (this.#setbacks > 0) await sleep(this.#setbackDelayMs(), undefined, { signal });
			await this.#channel.waitForPort(signal);
			this.#open = true;
			this.#since = new Date();
			this.#appearances++;
			this.#setbacks++;
			this.#listener.appBack();
			this.#changes.emit("open");
			if (this.#open) await once(this.#changes, "lost", { signal });
		}
	}

	#setbackDelayMs(): number {
		return Math.min(maxSetbackMs, firstSetbackMs * 2 ** (this.#setbacks - 1));
	}

	/** Resolves when the port is open, at once if it is. Rejects when the signal aborts. */
	async untilOpen(): Promise<void> {
		this.#signal.throwIfAborted();
		while (!this.#open) await once(this.#changes, "open", { signal: this.#signal });
	}

	/** Resolves when the port, after appearance number `appearance`, was away and is open again. Rejects when the signal aborts. */
	async untilReopened(appearance: number): Promise<void> {
		this.#signal.throwIfAborted();
		const timer = setInterval(() => void this.#recheck(), this.#recheckMs);
		try {
			while (this.#appearances === appearance) await once(this.#changes, "open", { signal: this.#signal });
		} finally {
			clearInterval(timer);
		}
		await this.untilOpen();
	}

	async #recheck(): Promise<void> {
		if (this.#open && !(await this.#channel.isPortOpen())) this.lost();
	}
}
