import { setTimeout as sleep } from "node:timers/promises";
import type { AppAnswer, AppScript } from "../support/app-script.js";
import type { AppEvent } from "./face.js";

type Received = Omit<AppEvent, "at" | "status" | "answeredAt">;

/** An app that is a function in this process, and follows the same scripts as the one that is a process of its own. */
export class FunctionApp {
	readonly #events: AppEvent[] = [];
	#script: AppScript;
	/** Calls so far by payload, for rules that hold a few times only. */
	#seen = new Map<string, number>();

	constructor(script: AppScript) {
		this.#script = script;
	}

	get events(): readonly AppEvent[] {
		return this.#events;
	}

	answer(script: AppScript): void {
		this.#script = script;
		this.#seen = new Map();
	}

	/** Resolves with a status, as an HTTP app would give it. Where the script says `hang`: rejects when the binding gives it up. */
	async receive(received: Received, signal: AbortSignal): Promise<number> {
		const index = this.#events.push({ ...received, payload: Buffer.from(received.payload), at: performance.now() }) - 1;
		const { delayMs = 0, end, status = 200 } = this.#answerFor(received.payload.toString());
		if (end === "hang") return await untilAborted(signal);
		if (end !== undefined || typeof delayMs !== "number") throw new Error("a function can't do that");
		if (delayMs > 0) await sleep(delayMs);
		this.#events[index] = { ...this.#events[index]!, status, answeredAt: performance.now() };
		return status;
	}

	#answerFor(payload: string): AppAnswer {
		const count = (this.#seen.get(payload) ?? 0) + 1;
		this.#seen.set(payload, count);
		const rule = this.#script.rules?.find(
			({ payloads, pattern, times }) =>
				(payloads === undefined || payloads.includes(payload)) &&
				(pattern === undefined || new RegExp(pattern).test(payload)) &&
				(times === undefined || count <= times),
		);
		return { ...this.#script, ...rule };
	}
}

function untilAborted(signal: AbortSignal): Promise<never> {
	return new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(new Error("given up"))));
}

/** 2xx. */
export function isAccepted(status: number): boolean {
	return status >= 200 && status < 300;
}
