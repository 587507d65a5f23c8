import { type FSWatcher, watch } from "node:fs";
import { readdir, realpath, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";

/** What is written in several steps is looked at when nothing has happened for so long. */
const QUIET_MS = 200;
/** Nobody is kept waiting longer by a file that never rests. */
const LONGEST_MS = 2_000;
/** More folders than any set of components has; the interval serves the rest. */
const MAX_FOLDERS = 256;

export interface FileWatchOptions {
	/** Everything in them counts, not what is in folders below. */
	readonly folders: readonly string[];
	/** How often all is looked at, whatever the system says of changes; some file systems say nothing. */
	readonly intervalMs: number;
	/** Something is other than at the latest mark(). */
	readonly onChange: () => void;
}

/** Says when files change: written, replaced by a rename, or behind a symbolic link that was turned elsewhere. */
export class FileWatch {
	readonly #options: FileWatchOptions;
	readonly #watchers = new Map<string, FSWatcher>();
	#files: readonly string[] = [];
	/** By path. */
	#seen: ReadonlyMap<string, string> = new Map();
	#quiet: NodeJS.Timeout | undefined;
	#restlessSince = 0;
	#interval: NodeJS.Timeout | undefined;
	#isClosed = false;

	constructor(options: FileWatchOptions) {
		this.#options = options;
	}

	/** Begins, with the files as they are now. */
	async start(): Promise<void> {
		await this.mark();
		await this.#watchFolders();
		this.#interval = setInterval(() => void this.#compare(), this.#options.intervalMs);
		this.#interval.unref();
	}

	/** From now on a change is what is other than at this moment. */
	async mark(): Promise<void> {
		this.#seen = await this.#states();
	}

	/** Watches these files besides the folders, from their state at this moment, or at the latest mark() where they were watched before. */
	async follow(files: readonly string[]): Promise<void> {
		this.#files = [...new Set(files.map((file) => resolve(file)))];
		this.#seen = new Map([...(await this.#states()), ...this.#seen]);
		await this.#watchFolders();
	}

	close(): void {
		this.#isClosed = true;
		clearTimeout(this.#quiet);
		clearInterval(this.#interval);
		for (const watcher of this.#watchers.values()) watcher.close();
		this.#watchers.clear();
	}

	async #watchFolders(): Promise<void> {
		const folders = new Set(this.#options.folders.map((folder) => resolve(folder)));
		for (const file of await this.#allFiles()) {
			folders.add(dirname(file));
			// Where a symbolic link leads to.
			folders.add(dirname(await realpath(file).catch(() => file)));
		}
		if (this.#isClosed) return;
		for (const [folder, watcher] of this.#watchers) {
			if (folders.has(folder)) continue;
			watcher.close();
			this.#watchers.delete(folder);
		}
		for (const folder of folders) if (this.#watchers.size < MAX_FOLDERS) this.#watchFolder(folder);
	}

	#watchFolder(folder: string): void {
		if (this.#watchers.has(folder)) return;
		try {
			const watcher = watch(folder, { persistent: false }, () => this.#stirred());
			const forget = () => {
				watcher.close();
				if (this.#watchers.get(folder) === watcher) this.#watchers.delete(folder);
			};
			watcher.on("error", forget);
			this.#watchers.set(folder, watcher);
		} catch {
			// It is not there, or the system watches no more: the interval finds what happens in it.
		}
	}

	#stirred(): void {
		const now = performance.now();
		if (this.#quiet === undefined) this.#restlessSince = now;
		else if (now - this.#restlessSince > LONGEST_MS) return;
		clearTimeout(this.#quiet);
		this.#quiet = setTimeout(() => {
			this.#quiet = undefined;
			void this.#compare();
		}, QUIET_MS);
		this.#quiet.unref();
	}

	async #compare(): Promise<void> {
		const now = await this.#states();
		const before = this.#seen;
		if (this.#isClosed) return;
		if (now.size === before.size && [...now].every(([file, state]) => before.get(file) === state)) return;
		this.#seen = now;
		this.#options.onChange();
	}

	/** What changes with everything that may change what a reader finds. */
	async #states(): Promise<ReadonlyMap<string, string>> {
		const files = await this.#allFiles();
		return new Map(await Promise.all(files.map(async (file) => [file, await stateOf(file)] as const)));
	}

	async #allFiles(): Promise<readonly string[]> {
		const inFolders = await Promise.all(
			this.#options.folders.map(async (folder) => {
				const names = await readdir(folder).catch(() => []);
				return names.sort().map((name) => resolve(join(folder, name)));
			}),
		);
		return [...inFolders.flat(), ...this.#files];
	}
}

async function stateOf(file: string): Promise<string> {
	try {
		const { dev, ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true });
		return `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`;
	} catch (error) {
		return error instanceof Error && "code" in error ? String(error.code) : "unreadable";
	}
}
