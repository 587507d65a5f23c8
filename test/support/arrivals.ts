import { missedWait } from "./missed-wait.js";

/** Values that arrive by themselves and are taken one after the other, with a deadline. */
export class Arrivals<T> {
	readonly #values: T[] = [];
	readonly #watchers = new Set<() => void>();
	#end: string | undefined;

	/** One more has arrived. */
	add(value: T): void {
		this.#values.push(value);
		this.#notify();
	}

	/** No more will arrive, and why; those that did can still be taken. */
	end(reason: string): void {
		this.#end ??= reason;
		this.#notify();
	}

	/** Takes the oldest, or waits for it; rejects after `timeoutMs` and when none will come. */
	async take(what: string, timeoutMs: number): Promise<T> {
		await this.#change(timeoutMs);
		if (this.#values.length > 0) return this.#values.shift()!;
		if (this.#end !== undefined) throw new Error(`${what}: ${this.#end}`);
		throw missedWait(new Error(`${what}: nothing within ${timeoutMs} ms`));
	}

	/** Waits `ms` and resolves if nothing is there to take and nothing arrives or ends meanwhile. */
	async none(what: string, ms: number): Promise<void> {
		await this.#change(ms);
		if (this.#values.length > 0) throw new Error(`${what}: ${JSON.stringify(this.#values[0])} came`);
		if (this.#end !== undefined) throw new Error(`${what}: ${this.#end}`);
	}

	/** Resolves when there is something to take or to tell, and after `ms` in any case. */
	async #change(ms: number): Promise<void> {
		if (this.#values.length > 0 || this.#end !== undefined) return;
		await new Promise<void>((resolve) => {
			const done = () => {
				clearTimeout(timer);
				this.#watchers.delete(done);
				resolve();
			};
			const timer = setTimeout(done, ms);
			this.#watchers.add(done);
		});
	}

	#notify(): void {
		for (const watcher of [...this.#watchers]) watcher();
	}
}
