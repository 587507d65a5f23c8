import { setTimeout as sleep } from "node:timers/promises";
import type { HealthReason, InputBinding, ReadHandler, Report } from "../bindings/binding.js";
import { AppError } from "../errors.js";
import type { AppChannel } from "./app-channel.js";
import type { AppWatch } from "./app-watch.js";

export interface InputStarterOptions {
	/** The component's name. */
	readonly name: string;
	readonly binding: InputBinding;
	/** The app has said so already, and is not asked. */
	readonly isWanted: boolean;
	readonly channel: AppChannel;
	readonly watch: AppWatch;
	/** Gets the events once the binding reads. */
	readonly handler: ReadHandler;
	readonly onReport: (report: Report) => void;
}

const firstRetryMs = 500;
const maxRetryMs = 30_000;

/**
 * Gets one input to read: at once where its `direction` says so, else when the app has said yes.
 * No answer is asked for again with a growing delay; a clean no stands until the app's port was away and is back.
 */
export class InputStarter {
	readonly #options: InputStarterOptions;
	#state: "waiting" | "unanswered" | "declined" | "reading" | "failed" = "waiting";
	#asked = false;
	#trouble = "";

	constructor(options: InputStarterOptions) {
		this.#options = options;
	}

	get name(): string {
		return this.#options.name;
	}

	/** True once nobody needs to be asked or the app was asked, whatever came of it. */
	get asked(): boolean {
		return this.#asked;
	}

	/** True once the app gets its events. */
	get isReading(): boolean {
		return this.#state === "reading";
	}

	/** True while the component is an output only, because the app wants none of its events. */
	get declined(): boolean {
		return this.#state === "declined";
	}

	/** Goes on until the binding reads. Rejects when `signal` aborts, and only then. */
	async run(signal: AbortSignal): Promise<void> {
		if (this.#options.binding.reads === "ask" && !this.#options.isWanted) await this.#untilWanted(signal);
		this.#asked = true;
		await this.#read();
	}

	async #untilWanted(signal: AbortSignal): Promise<void> {
		const { name, binding, channel, watch } = this.#options;
		for (let delayMs = firstRetryMs; ; ) {
			await watch.untilOpen(signal);
			const { appearances } = watch;
			try {
				const wanted = await channel.isSubscribed(name, binding.route, signal);
				this.#asked = true;
				watch.answered();
				if (wanted) return;
				this.#decline();
				await watch.untilReopened(appearances, signal);
				delayMs = firstRetryMs;
			} catch (error) {
				signal.throwIfAborted();
				this.#asked = true;
				this.#fail(error, delayMs);
				if (error instanceof AppError && (error.outcome === "unreachable" || error.outcome === "crashed")) watch.lost();
				await sleep(delayMs, undefined, { signal });
				delayMs = Math.min(delayMs * 2, maxRetryMs);
			}
		}
	}

	async #read(): Promise<void> {
		const { name, binding, handler, onReport } = this.#options;
		try {
			await binding.read(handler);
			this.#state = "reading";
			const message = `the app gets the events of component "${name}" at ${JSON.stringify(binding.route)}`;
			onReport({ level: "info", code: "input-reading", message });
		} catch (error) {
			this.#state = "failed";
			this.#trouble = messageOf(error);
			onReport({ level: "error", code: "input-not-reading", message: this.#notReading(), ...causeOf(error) });
		}
	}

	#decline(): void {
		if (this.#state !== "declined")
			this.#options.onReport({ level: "warn", code: "input-declined", message: this.#no() });
		this.#state = "declined";
	}

	#fail(error: unknown, delayMs: number): void {
		this.#state = "unanswered";
		this.#trouble = messageOf(error);
		const message = `${this.#unanswered()}; trying again in ${delayMs / 1_000} s`;
		this.#options.onReport({ level: "warn", code: "app-probe-failed", message, ...causeOf(error) });
	}

	#no(): string {
		const { name, binding, channel } = this.#options;
		return `the app wants no events of component "${name}": ${channel.describeNo(name, binding.route)} (or set "direction: input", which does not ask); asked again when the app was away and is back`;
	}

	#unanswered(): string {
		return `the app did not say whether it wants the events of component "${this.name}": ${this.#trouble}`;
	}

	#notReading(): string {
		return `component "${this.name}" does not read: ${this.#trouble}`;
	}

	/** Why events don't flow, if they don't. */
	health(): HealthReason | undefined {
		switch (this.#state) {
			case "waiting": {
				const message = `the app was not asked yet whether it wants the events of component "${this.name}"`;
				return { code: "app-not-asked", message, blocking: true };
			}
			case "unanswered":
				return { code: "app-probe-failed", message: this.#unanswered(), blocking: true };
			case "declined":
				return { code: "input-declined", message: this.#no(), blocking: false };
			case "failed":
				return { code: "input-not-reading", message: this.#notReading(), blocking: true };
			case "reading":
				return undefined;
		}
	}
}

function messageOf(error: unknown): string {
	return error instanceof Error ? error.message : String(error);
}

function causeOf(error: unknown): { readonly error?: Error } {
	return error instanceof Error ? { error } : {};
}
