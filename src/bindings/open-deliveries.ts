import { ACCEPTED, type ReadResponse, type Verdict } from "./binding.js";
import { type MessageDelivery, ReceivedMessage } from "./message.js";

const GIVEN_BACK: Verdict = Object.freeze({ kind: "none" });

/** Between the input and a loop over its deliveries: keeps what came until the loop asks for it. Bounded by `maxInFlight`. */
export class OpenDeliveries {
	readonly #waiting: OpenDelivery[] = [];
	#hasEnded = false;
	#wake: () => void = () => {};

	/** Resolves when somebody has said what becomes of it. */
	add(event: ReadResponse): Promise<Verdict> {
		return new Promise((settle) => {
			if (this.#hasEnded) {
				settle(GIVEN_BACK);
				return;
			}
			this.#waiting.push(new OpenDelivery(event, settle));
			this.#wake();
		});
	}

	/** Resolves with the oldest that was not asked for yet, as soon as there is one; with undefined after end(). */
	async next(): Promise<MessageDelivery | undefined> {
		while (!this.#hasEnded) {
			const next = this.#waiting.shift();
			if (next !== undefined) return next;
			await new Promise<void>((resolve) => {
				this.#wake = resolve;
			});
		}
		return undefined;
	}

	/** Gives back what nobody asked for; nothing comes after. What was asked for can still be settled. */
	end(): void {
		this.#hasEnded = true;
		for (const delivery of this.#waiting.splice(0)) delivery.giveBack();
		this.#wake();
	}
}

class OpenDelivery extends ReceivedMessage implements MessageDelivery {
	readonly #settle: (verdict: Verdict) => void;

	constructor(event: ReadResponse, settle: (verdict: Verdict) => void) {
		super(event);
		this.#settle = settle;
	}

	ack(): void {
		this.#settle(ACCEPTED);
	}

	nack(reason: string | Error = "declined"): void {
		this.#settle({ kind: "failed", error: reason instanceof Error ? reason : new Error(reason) });
	}

	/** Nobody looked at it. */
	giveBack(): void {
		this.#settle(GIVEN_BACK);
	}
}
