import type { Delivery } from "../mqtt/delivery.js";
import { Alarm } from "./alarm.js";

/** One call of the app that has a deadline. */
export interface HandlerCall {
	readonly delivery: Delivery;
	/** It was held, and is tried again. */
	readonly isHeld: boolean;
	/** By performance.now(). */
	readonly deadline: number;
	/** Aborted at the deadline, and when the binding stops waiting for handlers. */
	readonly controller: AbortController;
}

/** `handlerTimeout`: which calls of the app run, and when they have run for too long. */
export class HandlerDeadlines {
	readonly #timeoutMs: number;
	readonly #late: (call: HandlerCall) => void;
	readonly #alarm = new Alarm(() => this.#ring());
	/** All have the same time, so in the order of their deadlines. */
	readonly #calls = new Set<HandlerCall>();

	/** `late`: told of each call whose time is over, which has ended then; whatever it answers afterwards counts for nothing. */
	constructor(timeoutMs: number, late: (call: HandlerCall) => void) {
		this.#timeoutMs = timeoutMs;
		this.#late = late;
	}

	begin(delivery: Delivery, isHeld: boolean): HandlerCall {
		const controller = new AbortController();
		const deadline = performance.now() + this.#timeoutMs;
		const call = { delivery, isHeld, deadline, controller };
		this.#calls.add(call);
		this.#alarm.by(deadline);
		return call;
	}

	/** The app answered. False when its time was over before. */
	end(call: HandlerCall): boolean {
		return this.#calls.delete(call);
	}

	/** Nobody waits for handlers any more. */
	stop(): void {
		this.#alarm.stop();
		for (const { controller } of this.#calls) controller.abort();
	}

	#ring(): void {
		const now = performance.now();
		for (const call of this.#calls) {
			if (call.deadline > now) {
				this.#alarm.by(call.deadline);
				return;
			}
			this.#calls.delete(call);
			call.controller.abort();
			this.#late(call);
		}
	}
}
