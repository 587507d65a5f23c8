import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { missedWait } from "./missed-wait.js";
import { forgetProcess, rememberProcess } from "./run-record.js";

/** How a program ended: one of the two is null. */
export interface Exit {
	readonly code: number | null;
	readonly signal: NodeJS.Signals | null;
}

/** What `startProgram` takes beside the command. */
export interface ProgramOptions {
	/** For messages; default: the command. */
	readonly name?: string;
	readonly cwd?: string;
	/** Added to this process's environment; undefined takes a variable away. */
	readonly env?: Readonly<Record<string, string | undefined>>;
	/** Opens a channel for `send` and `onMessage`. */
	readonly ipc?: boolean;
}

/** Lines kept of a program's output; the oldest half goes when there are more. */
const MAX_LINES = 20_000;

/** Starts a child process. Await `line` to know that it is up: a command that can't be run shows there and in `exited`. */
export function startProgram(command: string, args: readonly string[], options: ProgramOptions = {}): Program {
	return new Program(command, args, options);
}

/** A child process under test. Disposing stops it, and kills it if it doesn't. */
export class Program implements AsyncDisposable {
	readonly name: string;
	/** Lines of stdout and stderr, in the order they came. */
	readonly output: string[] = [];
	/** Resolves when the process is gone and its output read; never rejects. */
	readonly exited: Promise<Exit>;
	readonly #child: ChildProcess;
	readonly #watchers = new Set<() => void>();
	#exit: Exit | undefined;

	constructor(command: string, args: readonly string[], { name = command, cwd, env, ipc = false }: ProgramOptions) {
		this.name = name;
		const spawnOptions: SpawnOptions = {
			env: { ...process.env, ...env },
			stdio: ["ignore", "pipe", "pipe", ...(ipc ? (["ipc"] as const) : [])],
			...(cwd !== undefined && { cwd }),
		};
		this.#child = spawn(command, args, spawnOptions);
		const { pid } = this.#child;
		if (pid !== undefined) rememberProcess(pid, name);
		for (const stream of [this.#child.stdout, this.#child.stderr]) this.#collect(stream as Readable);
		this.exited = new Promise((resolve) => {
			const onEnd = (exit: Exit) => {
				if (pid !== undefined) forgetProcess(pid);
				this.#exit = exit;
				this.#notify();
				resolve(exit);
			};
			this.#child.once("error", (error) => {
				this.#add(error.message);
				if (pid === undefined) onEnd({ code: 127, signal: null });
			});
			this.#child.once("close", (code, signal) => onEnd({ code, signal }));
		});
	}

	/** The process id; -1 when it could not be started. */
	get pid(): number {
		return this.#child.pid ?? -1;
	}

	/** True until the process has ended. */
	get running(): boolean {
		return this.#exit === undefined;
	}

	/** Resolves with the first line, past or to come, that matches; rejects when the process ends without it or after `timeoutMs`. */
	async line(pattern: RegExp, timeoutMs = 15_000): Promise<RegExpMatchArray> {
		let timer: NodeJS.Timeout | undefined;
		let watcher: (() => void) | undefined;
		try {
			return await new Promise((resolve, reject) => {
				const failure = (what: string) =>
					new Error(`${this.name} ${what} no line that matches ${pattern}; its output:\n${this.#tail()}`);
				let seen = 0;
				watcher = () => {
					// Lines may have gone at the front meanwhile: then all are looked at again.
					if (seen > this.output.length) seen = 0;
					for (; seen < this.output.length; seen++) {
						const match = this.output[seen]!.match(pattern);
						if (match) return resolve(match);
					}
					if (this.#exit) reject(failure(`ended (${this.#exit.signal ?? this.#exit.code}) and wrote`));
				};
				this.#watchers.add(watcher);
				timer = setTimeout(() => reject(missedWait(failure(`ran ${timeoutMs} ms and wrote`))), timeoutMs);
				watcher();
			});
		} finally {
			clearTimeout(timer);
			if (watcher) this.#watchers.delete(watcher);
		}
	}

	/** Sends a signal; false when the process is gone. */
	signal(signal: NodeJS.Signals): boolean {
		return this.running && this.#child.kill(signal);
	}

	/** Asks it to end with `signal` (default SIGTERM) and waits; rejects, after a SIGKILL, when it doesn't within `timeoutMs`. */
	async stop({
		signal = "SIGTERM",
		timeoutMs = 15_000,
	}: {
		readonly signal?: NodeJS.Signals;
		readonly timeoutMs?: number;
	} = {}): Promise<Exit> {
		this.signal(signal);
		let late = false;
		const timer = setTimeout(() => {
			late = true;
			this.signal("SIGKILL");
		}, timeoutMs);
		const exit = await this.exited;
		clearTimeout(timer);
		if (late)
			throw new Error(`${this.name} did not end within ${timeoutMs} ms of ${signal}; its output:\n${this.#tail()}`);
		return exit;
	}

	/** SIGKILL, also to a stopped process; resolves when it is gone. */
	async kill(): Promise<Exit> {
		this.signal("SIGKILL");
		return await this.exited;
	}

	/** Sends a value over the channel; the program must have been started with `ipc`. */
	send(message: object): void {
		this.#child.send(message);
	}

	/** Calls `listener` with each value that comes over the channel; returns how to stop that. */
	onMessage(listener: (message: unknown) => void): () => void {
		this.#child.on("message", listener);
		return () => void this.#child.off("message", listener);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		if (!this.running) return;
		// A stopped process takes no other signal.
		this.signal("SIGCONT");
		await this.stop();
	}

	#collect(stream: Readable): void {
		createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on("line", (line) => this.#add(line));
	}

	#add(line: string): void {
		this.output.push(line);
		if (this.output.length > MAX_LINES) this.output.splice(0, MAX_LINES / 2);
		this.#notify();
	}

	#notify(): void {
		for (const watcher of [...this.#watchers]) watcher();
	}

	#tail(): string {
		return this.output.slice(-30).join("\n");
	}
}
