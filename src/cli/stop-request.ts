import { hasTerminal } from "./terminal.js";

/** Whoever asks this process to end: a signal, the API's shutdown, an app that ended. The first one counts. */
export class StopRequest {
	/** Resolves with the reason, for people, once somebody asked. */
	readonly reason: Promise<string>;
	#ask: (reason: string) => void = () => {};
	#asked = false;

	constructor() {
		this.reason = new Promise((resolve) => {
			this.#ask = resolve;
		});
	}

	/** Asks for a graceful stop. False when somebody did before. */
	ask(reason: string): boolean {
		if (this.#asked) return false;
		this.#asked = true;
		this.#ask(reason);
		return true;
	}

	/**
	 * Listens to the signals that end a process; `again` runs when a second one comes. With `onHangUp` a SIGHUP calls that instead, unless
	 * it tells that the terminal was closed.
	 */
	listen(again: (signal: NodeJS.Signals) => void, onHangUp?: () => void): void {
		const hadTerminal = hasTerminal();
		let firstAt: number | undefined;
		const onSignal = (signal: NodeJS.Signals) => {
			// A terminal that closes must not leave an app behind that we started.
			if (signal === "SIGHUP" && onHangUp !== undefined && hasTerminal() === hadTerminal) {
				onHangUp();
				return;
			}
			if (firstAt !== undefined) {
				if (signal !== "SIGINT" || performance.now() - firstAt > SAME_KEY_PRESS_MS) again(signal);
				return;
			}
			firstAt = performance.now();
			this.ask(signal);
		};
		for (const signal of END_SIGNALS) process.on(signal, onSignal);
	}
}

const END_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** npm passes the terminal's Ctrl-C on to a process that has had it from the terminal already. */
const SAME_KEY_PRESS_MS = 100;
