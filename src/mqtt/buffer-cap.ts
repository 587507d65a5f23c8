/** What un-acknowledged messages of one connection hold in memory, and what happens when that is too much. Pure. */
export class BufferCap {
	readonly #max: number;
	#bytes = 0;
	/** Reading goes on although the buffer is full. */
	#maySkip = false;
	/** A message of this connection was passed by: so are all further ones, or they would overtake it. */
	#hasSkipped = false;

	/** `max`: bytes. */
	constructor(max: number) {
		this.#max = max;
	}

	get bytes(): number {
		return this.#bytes;
	}

	get isOver(): boolean {
		return this.#bytes > this.#max;
	}

	/** Messages of this connection are passed by. */
	get isSkipping(): boolean {
		return this.#maySkip || this.#hasSkipped;
	}

	/** Messages were passed by and half the buffer is free: a resumed connection would bring them. */
	get wantsResume(): boolean {
		return this.#hasSkipped && this.#bytes <= this.#max / 2;
	}

	add(bytes: number): void {
		this.#bytes += bytes;
	}

	remove(bytes: number): void {
		this.#bytes -= bytes;
		if (!this.isOver) this.#maySkip = false;
	}

	/** Reading must go on although the buffer is full: a message that comes before there is room is passed by, and all behind it. */
	skip(): void {
		this.#maySkip = true;
	}

	/** A message was passed by. */
	skipped(): void {
		this.#hasSkipped = true;
	}

	/** The connection is gone. */
	clear(): void {
		this.#bytes = 0;
		this.#maySkip = false;
		this.#hasSkipped = false;
	}
}
