import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import { SharedCheck } from "./shared-check.js";

/** Where the app listens. */
export interface AppAddress {
	readonly host: string;
	readonly port: number;
	/** True: waiting for the port means waiting for a TLS handshake; certificates are not verified. */
	readonly tls: boolean;
}

const dialTimeoutMs = 2_000;
const firstDelayMs = 100;
const maxDelayMs = 5_000;
/** How long the operating system may take to close all the sockets of a process that died. */
const settleMs = 50;

/** Tells whether something takes connections on the app's port. Any number of callers share one attempt. */
export class AppPort {
	readonly #address: AppAddress;
	readonly #open: SharedCheck<boolean>;
	readonly #staysOpen: SharedCheck<boolean>;
	#lastError: Error | undefined;

	constructor(address: AppAddress) {
		this.#address = address;
		const dial = () => this.#dial(false);
		this.#open = new SharedCheck(dial);
		this.#staysOpen = new SharedCheck(async () => {
			if (!(await dial())) return false;
			await sleep(settleMs);
			return dial();
		});
	}

	/** Why the latest attempt to connect failed; undefined when it did not. */
	get lastError(): Error | undefined {
		return this.#lastError;
	}

	/** Tries once, at most 2 s. */
	isOpen(): Promise<boolean> {
		return this.#open.run();
	}

	/** Tries twice, a moment apart: a dying process loses its connections and its listener one after the other. */
	staysOpen(): Promise<boolean> {
		return this.#staysOpen.run();
	}

	/** Tries every 100 ms, growing to 5 s, until it succeeds. Rejects when `signal` aborts. */
	async waitUntilOpen(signal: AbortSignal): Promise<void> {
		for (let delayMs = firstDelayMs; ; delayMs = Math.min(delayMs * 1.5, maxDelayMs)) {
			signal.throwIfAborted();
			if (await this.#dial(this.#address.tls)) return;
			await sleep(delayMs, undefined, { signal });
		}
	}

	/** Holds one connection until its other end is gone; resolves also when there was none. Rejects when `signal` aborts. */
	async untilHangUp(signal: AbortSignal): Promise<void> {
		signal.throwIfAborted();
		const { host, port } = this.#address;
		const socket = connect({ host, port });
		const ended = new Promise<void>((resolve) => socket.once("close", () => resolve()));
		const abort = () => socket.destroy();
		signal.addEventListener("abort", abort, { once: true });
		socket.on("error", () => {});
		socket.resume();
		await ended;
		signal.removeEventListener("abort", abort);
		signal.throwIfAborted();
	}

	#dial(tls: boolean): Promise<boolean> {
		return new Promise((resolve) => {
			const { host, port } = this.#address;
			const socket = tls ? connectTls({ host, port, rejectUnauthorized: false }) : connect({ host, port });
			let settled = false;
			const settle = (error?: Error) => {
				if (settled) return;
				settled = true;
				this.#lastError = error;
				socket.destroy();
				resolve(error === undefined);
			};
			socket.once(tls ? "secureConnect" : "connect", () => settle());
			socket.setTimeout(dialTimeoutMs, () => settle(new Error(`no connection within ${dialTimeoutMs} ms`)));
			socket.on("error", settle);
			socket.on("close", () => settle(new Error("connection closed")));
		});
	}
}
