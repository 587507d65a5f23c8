/** Things that are due at a time, earliest first: a binary heap. */
export class DueQueue<T> {
	readonly #heap: { readonly at: number; readonly item: T }[] = [];

	get size(): number {
		return this.#heap.length;
	}

	/** When the first is due; infinity when there is none. */
	get nextAt(): number {
		return this.#heap[0]?.at ?? Number.POSITIVE_INFINITY;
	}

	push(item: T, at: number): void {
		const heap = this.#heap;
		let index = heap.length;
		const entry = { at, item };
		heap.push(entry);
		while (index > 0) {
			const parent = (index - 1) >> 1;
			if (heap[parent]!.at <= at) break;
			heap[index] = heap[parent]!;
			index = parent;
		}
		heap[index] = entry;
	}

	/** Takes out the first one that is due by `now`. */
	take(now: number): T | undefined {
		const heap = this.#heap;
		const first = heap[0];
		if (first === undefined || first.at > now) return undefined;
		const last = heap.pop()!;
		if (heap.length > 0) this.#sink(last);
		return first.item;
	}

	/** Puts `entry` where it belongs, beginning at the free root. */
	#sink(entry: { readonly at: number; readonly item: T }): void {
		const heap = this.#heap;
		let index = 0;
		for (;;) {
			let child = 2 * index + 1;
			if (child >= heap.length) break;
			if (child + 1 < heap.length && heap[child + 1]!.at < heap[child]!.at) child++;
			if (heap[child]!.at >= entry.at) break;
			heap[index] = heap[child]!;
			index = child;
		}
		heap[index] = entry;
	}
}
