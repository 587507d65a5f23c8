import type { Delivery } from "../mqtt/delivery.js";

interface Lane {
	/** The one that may be at the app, between attempts or held; the others wait for it. */
	current: Delivery;
	/** In order of arrival. */
	readonly waiting: Set<Delivery>;
}

/**
 * `ordering: topic`: of each topic one delivery at a time, in order of arrival. A lane belongs to its topic, not to a connection; deliveries
 * whose connection is gone leave it, unless their handler runs, and take a place again when they are adopted. Pure.
 */
export class Lanes {
	readonly #lanes = new Map<string, Lane>();

	/** Topics in which something is not finished. */
	get size(): number {
		return this.#lanes.size;
	}

	/** Takes a place behind what is there. True when it is the current one. What waits behind a passed-over delivery is passed over too. */
	enter(delivery: Delivery): boolean {
		const { topic } = delivery.packet;
		const lane = this.#lanes.get(topic);
		if (lane === undefined) {
			this.#lanes.set(topic, { current: delivery, waiting: new Set() });
			return true;
		}
		if (lane.current === delivery) return true;
		lane.waiting.add(delivery);
		if (lane.current.passedOver) delivery.passOver();
		return false;
	}

	isCurrent(delivery: Delivery): boolean {
		return this.#lanes.get(delivery.packet.topic)?.current === delivery;
	}

	/** It is finished, or not ours any more. Returns the one whose turn it is now. */
	leave(delivery: Delivery): Delivery | undefined {
		const { topic } = delivery.packet;
		const lane = this.#lanes.get(topic);
		if (lane === undefined) return undefined;
		if (lane.current !== delivery) {
			lane.waiting.delete(delivery);
			return undefined;
		}
		const [next] = lane.waiting;
		if (next === undefined) {
			this.#lanes.delete(topic);
		} else {
			lane.waiting.delete(next);
			lane.current = next;
		}
		return next;
	}

	/** It gave up its place in the acknowledgement queue: so does what waits behind it. */
	passedOver(delivery: Delivery): void {
		const lane = this.#lanes.get(delivery.packet.topic);
		if (lane?.current !== delivery) return;
		for (const behind of lane.waiting) behind.passOver();
	}

	/** The connection is gone: its deliveries hold no lane but that of a handler that runs. Returns those whose turn it is now. */
	orphaned(): readonly Delivery[] {
		const turns: Delivery[] = [];
		for (const lane of [...this.#lanes.values()]) {
			for (const behind of lane.waiting) if (!goesOn(behind)) lane.waiting.delete(behind);
			if (goesOn(lane.current) || lane.current.running) continue;
			const next = this.leave(lane.current);
			if (next !== undefined) turns.push(next);
		}
		return turns;
	}
}

/** It may be started and tried again without being adopted. */
export function goesOn(delivery: Delivery): boolean {
	return delivery.state === "live" || delivery.lost;
}
