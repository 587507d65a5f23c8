import type { Delivery } from "../mqtt/delivery.js";

/** After one was accepted the others follow, each this long after its last attempt. */
const EAGER_INTERVAL_MS = 1_000;

/**
 * Deliveries whose retries are used up: kept un-acknowledged and tried again slowly, the one not tried for longest first. When one
 * is accepted, the app has recovered, and the others follow at once.
 */
export class HeldDeliveries {
	readonly #intervalMs: number;
	readonly #atOnce: number;
	readonly #random: () => number;
	readonly #mayStart: (delivery: Delivery) => boolean;
	/** In the order of their last attempt. */
	readonly #held = new Set<Delivery>();
	/** Too large to be read, or to be handed over: never tried. */
	readonly #oversized = new Set<Delivery>();
	#running = 0;
	/** When one was accepted or the app came back: whatever was last tried before is due soon. */
	#recoveredAt = Number.NEGATIVE_INFINITY;
	#jitteredMs: number;

	/** `atOnce`: how many of them may be at the app at the same time. `mayStart`: whether nothing stands in one's way; default: nothing does. */
	constructor(options: {
		readonly intervalMs: number;
		readonly atOnce: number;
		readonly mayStart?: ((delivery: Delivery) => boolean) | undefined;
		readonly random?: () => number;
	}) {
		this.#intervalMs = options.intervalMs;
		this.#atOnce = options.atOnce;
		this.#random = options.random ?? Math.random;
		const { mayStart = () => true } = options;
		this.#mayStart = (delivery) => !delivery.running && delivery.deliverable && mayStart(delivery);
		this.#jitteredMs = this.#jitter();
	}

	/** Held ones, oversized ones not counted. */
	get size(): number {
		return this.#held.size;
	}

	get oversized(): ReadonlySet<Delivery> {
		return this.#oversized;
	}

	/** The ones held, least recently tried first. */
	[Symbol.iterator](): Iterator<Delivery> {
		return this.#held.values();
	}

	/** `now`: when it was last tried. */
	add(delivery: Delivery, now: number): void {
		delivery.stage = "held";
		delivery.at = now;
		this.#recoveredAt = Math.min(this.#recoveredAt, now);
		this.#held.add(delivery);
	}

	/** It is not tried. */
	addOversized(delivery: Delivery, now: number): void {
		delivery.stage = "held";
		delivery.at = now;
		this.#oversized.add(delivery);
	}

	delete(delivery: Delivery): void {
		this.#held.delete(delivery);
		this.#oversized.delete(delivery);
	}

	/** The next one to try, if one is due and there is room; it counts as running until ended(). */
	take(now: number): Delivery | undefined {
		if (this.#running >= this.#atOnce) return undefined;
		for (const delivery of this.#held) {
			if (!this.#mayStart(delivery)) continue;
			if (now < this.#dueAt(delivery)) return undefined;
			this.#running++;
			return delivery;
		}
		return undefined;
	}

	/** An attempt of a held delivery ended. It stays held unless it was accepted or has died meanwhile. */
	ended(delivery: Delivery, isAccepted: boolean, now: number): void {
		this.#running--;
		this.#held.delete(delivery);
		if (isAccepted) {
			this.#recoveredAt = now;
		} else {
			this.#jitteredMs = this.#jitter();
			if (delivery.state !== "dead") this.add(delivery, now);
		}
	}

	/** The app is back: what is held so far does not wait for the whole interval. */
	hurry(): void {
		this.#recoveredAt = Number.POSITIVE_INFINITY;
	}

	/** When take() may next have one; infinity when none is held or all that may run do. */
	get nextAt(): number {
		if (this.#running >= this.#atOnce) return Number.POSITIVE_INFINITY;
		for (const delivery of this.#held) {
			if (this.#mayStart(delivery)) return this.#dueAt(delivery);
		}
		return Number.POSITIVE_INFINITY;
	}

	#dueAt({ at }: Delivery): number {
		return at + (at < this.#recoveredAt ? Math.min(EAGER_INTERVAL_MS, this.#jitteredMs) : this.#jitteredMs);
	}

	/** Three quarters to the whole interval, so that many components do not try in step. */
	#jitter(): number {
		return this.#intervalMs * (0.75 + 0.25 * this.#random());
	}
}
