import { MqttConnectionError } from "../errors.js";
import type { BrokerUrl } from "./broker-url.js";

/** How far an attempt to connect has come. */
export type DialStep = "name lookup" | "TCP connection" | "TLS handshake" | "WebSocket upgrade";

/** One attempt to connect: its deadline, its caller's wish to give it up, and how far it has come. */
export class DialAttempt {
	/** What is being waited for now; the message about a missed deadline names it. */
	step: DialStep = "name lookup";
	/** For the whole attempt. */
	readonly timeoutMs: number;
	readonly #controller = new AbortController();
	readonly #timer: NodeJS.Timeout;
	readonly #callerSignal: AbortSignal;
	readonly #giveUp: () => void;

	constructor(url: BrokerUrl, timeoutMs: number, signal: AbortSignal) {
		const abort = (reason: MqttConnectionError["reason"], text: string) =>
			this.#controller.abort(
				new MqttConnectionError(`cannot connect to ${url.href}: ${text}`, { url: url.href, reason }),
			);
		this.timeoutMs = timeoutMs;
		this.#timer = setTimeout(() => abort("timeout", `no answer within ${timeoutMs} ms (${this.step})`), timeoutMs);
		this.#callerSignal = signal;
		this.#giveUp = () => abort("local", "given up by us");
		signal.addEventListener("abort", this.#giveUp);
		if (signal.aborted) this.#giveUp();
	}

	/** Aborts at the deadline or with the caller's signal; its reason is the MqttConnectionError to reject with. */
	get signal(): AbortSignal {
		return this.#controller.signal;
	}

	/** It succeeded or failed: from now on nothing aborts it. */
	finish(): void {
		clearTimeout(this.#timer);
		this.#callerSignal.removeEventListener("abort", this.#giveUp);
	}
}
