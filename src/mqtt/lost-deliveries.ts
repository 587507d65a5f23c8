import type { Delivery } from "./delivery.js";

/** Deliveries of a session that is gone which the app has not seen, oldest first: it still gets them, but nobody can be told. Pure. */
export class LostDeliveries {
	readonly #all = new Set<Delivery>();
	readonly #max: number;
	#cost = 0;

	/** `max`: the bytes that trim() leaves. */
	constructor(max: number) {
		this.#max = max;
	}

	add(delivery: Delivery): void {
		delivery.lost = true;
		this.#all.add(delivery);
		this.#cost += delivery.cost;
	}

	/** It is finished, accepted or not. Any other delivery is left alone. */
	finish(delivery: Delivery): void {
		if (!this.#all.delete(delivery)) return;
		delivery.lost = false;
		this.#cost -= delivery.cost;
	}

	/** Takes out the oldest that do not run until the rest is within bounds, and returns them. */
	trim(): readonly Delivery[] {
		const dropped: Delivery[] = [];
		for (const oldest of this.#all) {
			if (this.#cost <= this.#max) break;
			if (oldest.running) continue;
			this.finish(oldest);
			dropped.push(oldest);
		}
		return dropped;
	}
}
