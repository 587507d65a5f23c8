import type { Exchange } from "./exchange.js";

/** Requests that wait for a free carrier, first come, first served. */
export class ExchangeQueue<E extends Exchange> {
	#first: E | undefined;
	#last: E | undefined;

	/** Puts one at the end. */
	push(exchange: E): void {
		exchange.next = undefined;
		if (this.#last === undefined) this.#first = exchange;
		else this.#last.next = exchange;
		this.#last = exchange;
	}

	/** Takes the first one out. */
	shift(): E | undefined {
		const exchange = this.#first;
		if (exchange === undefined) return undefined;
		this.#first = exchange.next as E | undefined;
		if (this.#first === undefined) this.#last = undefined;
		exchange.next = undefined;
		return exchange;
	}

	/** Takes out all that belong to `signal`. */
	remove(signal: AbortSignal): readonly E[] {
		const removed: E[] = [];
		for (const exchange of this.clear()) {
			if (exchange.signal === signal) removed.push(exchange);
			else this.push(exchange);
		}
		return removed;
	}

	/** Takes out all. */
	clear(): readonly E[] {
		const all: E[] = [];
		for (let exchange = this.shift(); exchange !== undefined; exchange = this.shift()) all.push(exchange);
		return all;
	}
}
