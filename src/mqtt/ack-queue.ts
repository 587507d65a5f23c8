import type { Delivery } from "./delivery.js";

/**
 * Decides in which order acknowledgements leave: that of arrival [MQTT-4.6.0-2] [MQTT-4.6.0-3]. A delivery that was passed over
 * may be overtaken; once settled it leaves as soon as everything has left that arrived before it and was not passed over itself.
 * Pure: holds the deliveries of one connection, moves nothing by itself.
 */
export class AckQueue {
	/** Deliveries that hold their place, oldest first: a list through `previous` and `next`. */
	#head: Delivery | undefined;
	#tail: Delivery | undefined;
	/** Settled ones that were passed over, oldest first. */
	#late: Delivery[] = [];
	/** Unsettled ones that were passed over: whatever came after them overtakes them. */
	readonly #overdue = new Set<Delivery>();
	#settled = 0;
	/** How many acknowledgements left before that of a delivery which came earlier. */
	overtakes = 0;

	/** Takes the last place. Arrival order is the order of these calls and of `sequence`. */
	add(delivery: Delivery): void {
		if (delivery.passedOver) {
			if (delivery.accepted) this.#insertLate(delivery);
			else this.#overdue.add(delivery);
			return;
		}
		delivery.previous = this.#tail;
		delivery.next = undefined;
		if (this.#tail === undefined) this.#head = delivery;
		else this.#tail.next = delivery;
		this.#tail = delivery;
		if (delivery.accepted) this.#settled++;
	}

	/** `delivery.accepted` has just become true. */
	settle(delivery: Delivery): void {
		if (!delivery.passedOver) {
			this.#settled++;
		} else {
			this.#overdue.delete(delivery);
			this.#insertLate(delivery);
		}
	}

	/** Gives up an unsettled delivery's place. */
	passOver(delivery: Delivery): void {
		if (delivery.passedOver || delivery.accepted) return;
		this.#unlink(delivery);
		delivery.passedOver = true;
		this.#overdue.add(delivery);
	}

	/** Takes a delivery out, whatever its standing: it sends nothing. */
	remove(delivery: Delivery): void {
		if (!delivery.passedOver) {
			this.#unlink(delivery);
			if (delivery.accepted) this.#settled--;
		} else if (delivery.accepted) {
			const index = this.#late.indexOf(delivery);
			if (index >= 0) this.#late.splice(index, 1);
		} else {
			this.#overdue.delete(delivery);
		}
	}

	/** The next delivery whose acknowledgement may leave, taken out; undefined when the oldest is not settled. */
	take(): Delivery | undefined {
		const taken = this.#take();
		if (taken !== undefined && this.#overdue.size > 0 && this.#overtakes(taken)) this.overtakes++;
		return taken;
	}

	#take(): Delivery | undefined {
		const head = this.#head;
		const late = this.#late[0];
		if (late !== undefined && (head === undefined || late.sequence < head.sequence)) {
			this.#late.shift();
			return late;
		}
		if (head === undefined || !head.accepted) return undefined;
		this.#settled--;
		this.#unlink(head);
		return head;
	}

	/** The unsettled delivery that settled ones wait behind, if any. */
	blocking(): Delivery | undefined {
		const head = this.#head;
		if (head === undefined || head.accepted) return undefined;
		return this.#settled > 0 || this.#late.length > 0 ? head : undefined;
	}

	/** The `sequence` of the last arrived among the settled ones that wait behind an unsettled one; undefined when none does. */
	newestWaiting(): number | undefined {
		if (this.blocking() === undefined) return undefined;
		let delivery = this.#settled > 0 ? this.#tail : undefined;
		while (delivery !== undefined && !delivery.accepted) delivery = delivery.previous;
		return Math.max(delivery?.sequence ?? 0, this.#late.at(-1)?.sequence ?? 0);
	}

	/** Every unsettled delivery that arrived before `sequence` gives up its place. Returns those that did. */
	passOverBefore(sequence: number): readonly Delivery[] {
		const passedOver: Delivery[] = [];
		let delivery = this.#head;
		while (delivery !== undefined && delivery.sequence < sequence) {
			const { next } = delivery;
			this.passOver(delivery);
			if (delivery.passedOver) passedOver.push(delivery);
			delivery = next;
		}
		return passedOver;
	}

	/** Forgets all places: the connection is gone. */
	clear(): void {
		for (let delivery = this.#head; delivery !== undefined; ) {
			const next: Delivery | undefined = delivery.next;
			delivery.previous = undefined;
			delivery.next = undefined;
			delivery = next;
		}
		this.#head = undefined;
		this.#tail = undefined;
		this.#late = [];
		this.#overdue.clear();
		this.#settled = 0;
	}

	#overtakes({ sequence }: Delivery): boolean {
		for (const overdue of this.#overdue) if (overdue.sequence < sequence) return true;
		return false;
	}

	#unlink(delivery: Delivery): void {
		const { previous, next } = delivery;
		if (previous === undefined) this.#head = next;
		else previous.next = next;
		if (next === undefined) this.#tail = previous;
		else next.previous = previous;
		delivery.previous = undefined;
		delivery.next = undefined;
	}

	#insertLate(delivery: Delivery): void {
		let index = this.#late.length;
		while (index > 0 && this.#late[index - 1]!.sequence > delivery.sequence) index--;
		this.#late.splice(index, 0, delivery);
	}
}
