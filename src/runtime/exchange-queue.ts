import type { Exchange } from "./app-connection.js";

/** Requests that wait for a free connection, first come, first served. */
export class ExchangeQueue {
	#first: Exchange | undefined;
	#last: Exchange | undefined;

	/** Puts one at the end. */
	push(exchange: Exchange): void {
		exchange.next = undefined;
		if (this.#last === undefined) this.#first = exchange;
		else this.#last.next = exchange;
		this.#last = exchange;
	}

	/** Takes the first one out. */
	shift(): Exchange | undefined {
		const exchange = this.#first;
		if (exchange === undefined) return undefined;
		this.#first = exchange.next;
		if (this.#first === undefined) this.#last = undefined;
		exchange.next = undefined;
		return exchange;
	}

	/** Takes out all that belong to `signal`. */
	remove(signal: AbortSignal): readonly Exchange[] {
		const removed: Exchange[] = [];
		for (const exchange of this.clear()) {
			if (exchange.signal === signal) removed.push(exchange);
			else this.push(exchange);
		}
		return removed;
	}

	/** Takes out all. */
	clear(): readonly Exchange[] {
		const all: Exchange[] = [];
		for (let exchange = this.shift(); exchange !== undefined; exchange = this.shift()) all.push(exchange);
		return all;
	}
}
