import type { Outbound, OutboundPublish } from "./outbound.js";

/** Coarser than a timer needs, so that many deadlines close together cost one pass. */
const GRAIN_MS = 10;
/** The longest delay that setTimeout knows; it takes more for none. */
const MAX_TIMER_MS = 2_147_483_647;

/** Ends publishes whose deadline passed: one timer for all of them. */
export class PublishDeadlines {
	readonly #outbound: Outbound;
	#timer: NodeJS.Timeout | undefined;
	#dueAt = Number.POSITIVE_INFINITY;
	readonly #reason: (publish: OutboundPublish) => string;

	/** `reason`: why a publish did not succeed, asked when its deadline has passed. */
	constructor(outbound: Outbound, reason: (publish: OutboundPublish) => string) {
		this.#outbound = outbound;
		this.#reason = reason;
	}

	/** Watches over a publish in line. */
	add(publish: OutboundPublish): void {
		if (publish.deadline < this.#dueAt) this.#arm(publish.deadline);
	}

	clear(): void {
		clearTimeout(this.#timer);
		this.#dueAt = Number.POSITIVE_INFINITY;
	}

	#arm(dueAt: number): void {
		clearTimeout(this.#timer);
		this.#dueAt = dueAt;
		this.#timer = setTimeout(() => this.#pass(), Math.min(Math.max(1, dueAt - performance.now()), MAX_TIMER_MS));
	}

	#pass(): void {
		const now = performance.now();
		let next = Number.POSITIVE_INFINITY;
		for (const publish of [...this.#outbound.open()]) {
			if (publish.deadline <= now) this.#outbound.abandon(publish, this.#reason(publish));
			else if (publish.deadline < next) next = publish.deadline;
		}
		this.#dueAt = Number.POSITIVE_INFINITY;
		if (next !== Number.POSITIVE_INFINITY) this.#arm(Math.max(next, now + GRAIN_MS));
	}
}
