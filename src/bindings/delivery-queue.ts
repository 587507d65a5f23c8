import type { Delivery } from "../mqtt/delivery.js";

const DEAD_AT_MOST = 1_024;

/**
 * Deliveries that wait for the app: new ones in the order of arrival, and before them those given back or due again, oldest first.
 * Entries that may no longer be started are passed by when they come up.
 */
export class DeliveryQueue {
	#fresh: Delivery[] = [];
	#next = 0;
	#again: Delivery[] = [];
	/** At most so many entries died since the queue was last cleared of them. */
	#died = 0;

	/** What waits, entries that died included. */
	get size(): number {
		return this.#fresh.length - this.#next + this.#again.length;
	}

	push(delivery: Delivery): void {
		delivery.stage = "waiting";
		this.#fresh.push(delivery);
	}

	/** Puts a delivery that was taken before where its arrival order belongs. */
	putBack(delivery: Delivery): void {
		delivery.stage = "waiting";
		let index = this.#again.length;
		while (index > 0 && this.#again[index - 1]!.sequence > delivery.sequence) index--;
		this.#again.splice(index, 0, delivery);
	}

	take(): Delivery | undefined {
		for (;;) {
			const delivery = this.#again.shift() ?? this.#takeFresh();
			if (delivery === undefined || (delivery.stage === "waiting" && delivery.deliverable)) return delivery;
		}
	}

	/** Forgets what may not be started: after a connection ended, its deliveries come back by adoption or not at all. */
	dropUndeliverable(): void {
		this.#fresh = this.#fresh.slice(this.#next).filter((delivery) => delivery.deliverable);
		this.#next = 0;
		this.#again = this.#again.filter((delivery) => delivery.deliverable);
		this.#died = 0;
	}

	/** A waiting delivery died. Its entry goes when most entries are such, so that they stay bounded while nothing is taken. */
	died(): void {
		if (++this.#died > DEAD_AT_MOST && this.#died > this.size / 2) this.dropUndeliverable();
	}

	#takeFresh(): Delivery | undefined {
		if (this.#next === this.#fresh.length) return undefined;
		const delivery = this.#fresh[this.#next++]!;
		if (this.#next === this.#fresh.length) {
			this.#fresh = [];
			this.#next = 0;
		} else if (this.#next >= 4_096) {
			this.#fresh = this.#fresh.slice(this.#next);
			this.#next = 0;
		}
		return delivery;
	}
}
