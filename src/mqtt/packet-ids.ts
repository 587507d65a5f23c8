const PAGE_BITS = 8;
const PAGE_SIZE = 1 << PAGE_BITS;

/** A map from Packet Identifier to T: 256 pages made on demand, so that a lookup costs two array reads. */
export class PacketIdTable<T> {
	readonly #pages: ((T | undefined)[] | undefined)[] = new Array(PAGE_SIZE).fill(undefined);
	#size = 0;

	get size(): number {
		return this.#size;
	}

	get(packetId: number): T | undefined {
		const page = this.#pages[packetId >> PAGE_BITS];
		return page === undefined ? undefined : page[packetId & (PAGE_SIZE - 1)];
	}

	set(packetId: number, value: T): void {
		let page = this.#pages[packetId >> PAGE_BITS];
		if (page === undefined) {
			page = new Array(PAGE_SIZE).fill(undefined);
			this.#pages[packetId >> PAGE_BITS] = page;
		}
		if (page[packetId & (PAGE_SIZE - 1)] === undefined) this.#size++;
		page[packetId & (PAGE_SIZE - 1)] = value;
	}

	delete(packetId: number): void {
		const page = this.#pages[packetId >> PAGE_BITS];
		if (page === undefined || page[packetId & (PAGE_SIZE - 1)] === undefined) return;
		page[packetId & (PAGE_SIZE - 1)] = undefined;
		this.#size--;
	}

	/** In the order of the identifiers. */
	*values(): Generator<T> {
		for (const page of this.#pages) {
			if (page === undefined) continue;
			for (const value of page) if (value !== undefined) yield value;
		}
	}

	clear(): void {
		this.#pages.fill(undefined);
		this.#size = 0;
	}
}

/**
 * Hands out unused Packet Identifiers of a range [MQTT-2.3.1-2]: first each once in rising order, then the one
 * that has been free for longest, so that an identifier rests as long as possible before it means something else.
 */
export class PacketIds {
	readonly #last: number;
	#fresh: number;
	readonly #live: Uint8Array;
	/** A ring of freed identifiers, oldest at #head. */
	readonly #freed: Uint16Array;
	#head = 0;
	#freedCount = 0;
	#liveCount = 0;

	/** A range within 1 to 65,535, both ends included [MQTT-2.3.1-1]. */
	constructor(first: number, last: number) {
		this.#fresh = first;
		this.#last = last;
		this.#live = new Uint8Array(last + 1);
		this.#freed = new Uint16Array(last - first + 1);
	}

	/** How many identifiers are taken. */
	get size(): number {
		return this.#liveCount;
	}

	/** An identifier that is in nobody's hands, or 0 when all are taken. */
	take(): number {
		let packetId: number;
		if (this.#fresh <= this.#last) {
			packetId = this.#fresh++;
		} else if (this.#freedCount > 0) {
			packetId = this.#freed[this.#head]!;
			this.#head = (this.#head + 1) % this.#freed.length;
			this.#freedCount--;
		} else {
			return 0;
		}
		this.#live[packetId] = 1;
		this.#liveCount++;
		return packetId;
	}

	/** Gives an identifier back [MQTT-2.3.1-3]. One that is not taken is left alone. */
	free(packetId: number): void {
		if (this.#live[packetId] !== 1) return;
		this.#live[packetId] = 0;
		this.#liveCount--;
		this.#freed[(this.#head + this.#freedCount) % this.#freed.length] = packetId;
		this.#freedCount++;
	}
}
