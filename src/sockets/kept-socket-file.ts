import { lstat } from "node:fs/promises";
import type { Server } from "node:net";
import { listenOnSocketFile, type SocketFile, type SocketPlace } from "./socket-file.js";

const LOOK_EVERY_MS = 1_000;

/** Answers on a socket file, and makes it again when somebody has removed it: its callers could not reach us any more. */
export class KeptSocketFile<S extends Server> {
	readonly #place: SocketPlace;
	readonly #create: () => S;
	readonly #onWarning: (message: string) => void;
	/** Those on an earlier file serve the connections they have. */
	readonly #servers = new Set<S>();
	#file: SocketFile | undefined;
	#timer: NodeJS.Timeout | undefined;
	#isBusy = false;
	#isClosed = false;
	#trouble: string | undefined;

	private constructor(place: SocketPlace, create: () => S, onWarning: (message: string) => void) {
		this.#place = place;
		this.#create = create;
		this.#onWarning = onWarning;
	}

	/** Rejects with ConfigurationError when the file can't be had. */
	static async open<S extends Server>(
		place: SocketPlace,
		create: () => S,
		onWarning: (message: string) => void,
	): Promise<KeptSocketFile<S>> {
		const kept = new KeptSocketFile(place, create, onWarning);
		await kept.#listen(onWarning);
		kept.#timer = setInterval(() => void kept.#look(), LOOK_EVERY_MS).unref();
		return kept;
	}

	get servers(): readonly S[] {
		return [...this.#servers];
	}

	/** Takes the file away. Idempotent, never rejects. */
	async remove(): Promise<void> {
		this.#isClosed = true;
		clearInterval(this.#timer);
		await this.#file?.remove();
	}

	async #listen(onWarning: (message: string) => void): Promise<void> {
		const server = this.#create();
		this.#file = await listenOnSocketFile(server, this.#place, onWarning);
		for (const earlier of this.#servers) earlier.close();
		this.#servers.add(server);
		server.once("close", () => this.#servers.delete(server));
	}

	async #look(): Promise<void> {
		if (this.#isBusy) return;
		this.#isBusy = true;
		try {
			if ((await lstat(this.#place.path).catch(() => undefined)) === undefined) await this.#makeAgain();
		} catch (error) {
			const trouble = error instanceof Error ? error.message : String(error);
			if (trouble !== this.#trouble) this.#onWarning(`${trouble}; tried again every second`);
			this.#trouble = trouble;
		}
		this.#isBusy = false;
	}

	async #makeAgain(): Promise<void> {
		if (this.#isClosed) return;
		await this.#listen(() => {});
		this.#trouble = undefined;
		if (this.#isClosed) {
			for (const server of this.#servers) server.close();
			await this.#file?.remove();
			return;
		}
		this.#onWarning(`${this.#place.flag}: ${this.#place.path} was removed, and is made again`);
	}
}
