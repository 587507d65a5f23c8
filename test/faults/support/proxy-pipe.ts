import type { Socket } from "node:net";

/** How bytes of one direction travel. */
export interface Shape {
	/** Each piece arrives so much later; with two, a random time between. */
	readonly latencyMs?: number | readonly [least: number, most: number];
	readonly bytesPerSecond?: number;
	/** Written in pieces of so many bytes. */
	readonly sliceBytes?: number;
	/** Collected for so long, then written at once. */
	readonly coalesceMs?: number;
}

/** Bytes that wait at most before the source is not read any more. */
const MAX_WAITING = 1024 * 1024;

/** Moves bytes of one direction to `sink`, in order and in shape. A change of shape holds for what comes after it. */
export class ProxyPipe {
	shape: Shape = {};
	readonly #source: Socket;
	readonly #sink: Socket;
	readonly #random: () => number;
	readonly #queue: {
		readonly bytes: Buffer;
		readonly dueAt: number;
		readonly shape: Shape;
		readonly done: (() => void) | undefined;
	}[] = [];
	#waiting = 0;
	#pumping = false;
	#timer: NodeJS.Timeout | undefined;
	#wake: (() => void) | undefined;
	#halted = false;

	constructor(source: Socket, sink: Socket, random: () => number) {
		this.#source = source;
		this.#sink = sink;
		this.#random = random;
	}

	/** Sends bytes behind all that wait; `done` is called when they were handed to the socket. */
	send(bytes: Buffer, done?: () => void): void {
		const { shape } = this;
		const { latencyMs = 0, coalesceMs = 0 } = shape;
		const [least, most] = typeof latencyMs === "number" ? [latencyMs, latencyMs] : latencyMs;
		const dueAt = performance.now() + least + this.#random() * (most - least) + coalesceMs;
		this.#queue.push({ bytes, dueAt, shape, done });
		this.#waiting += bytes.length;
		this.flow();
		if (!this.#pumping) void this.#pump();
	}

	/** Neither reads nor writes: what is under way stays there. */
	halt(halted: boolean): void {
		this.#halted = halted;
		this.flow();
		if (!halted && !this.#pumping) void this.#pump();
	}

	/** Reads from the source as far as there is room. */
	flow(): void {
		if (this.#halted || this.#waiting > MAX_WAITING) this.#source.pause();
		else this.#source.resume();
	}

	/** Nothing is written any more. */
	end(): void {
		this.#queue.length = 0;
		this.#waiting = 0;
		clearTimeout(this.#timer);
		this.#wake?.();
	}

	async #pump(): Promise<void> {
		this.#pumping = true;
		for (let next = this.#queue[0]; next && !this.#halted; next = this.#queue[0]) {
			const wait = next.dueAt - performance.now();
			if (wait > 0) {
				await this.#sleep(wait);
				continue;
			}
			// What is coalesced goes as one.
			const together = next.shape.coalesceMs === undefined ? 1 : this.#queue.length;
			const batch = this.#queue.splice(0, together);
			await this.#write(Buffer.concat(batch.map(({ bytes }) => bytes)), next.shape);
			for (const { bytes, done } of batch) {
				this.#waiting = Math.max(0, this.#waiting - bytes.length);
				done?.();
			}
			this.flow();
		}
		this.#pumping = false;
	}

	async #write(bytes: Buffer, { sliceBytes = bytes.length, bytesPerSecond }: Shape): Promise<void> {
		const size = Math.max(
			1,
			bytesPerSecond === undefined ? sliceBytes : Math.min(sliceBytes, Math.ceil(bytesPerSecond / 20)),
		);
		for (let from = 0; from < bytes.length && this.#sink.writable; from += size) {
			const slice = bytes.subarray(from, from + size);
			if (!this.#sink.write(slice)) await this.#drained();
			if (bytesPerSecond !== undefined) await this.#sleep((slice.length / bytesPerSecond) * 1000);
			// Otherwise the socket would gather the slices into one segment.
			else if (size < bytes.length) await new Promise((resolve) => setImmediate(resolve));
		}
	}

	#sleep(ms: number): Promise<void> {
		return new Promise((resolve) => {
			this.#wake = resolve;
			this.#timer = setTimeout(resolve, ms);
		});
	}

	#drained(): Promise<void> {
		return new Promise((resolve) => {
			const done = () => {
				this.#sink.off("drain", done).off("close", done);
				resolve();
			};
			this.#sink.on("drain", done).on("close", done);
		});
	}
}
