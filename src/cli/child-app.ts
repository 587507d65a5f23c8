import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:os";
import type { Readable, Writable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { ConfigurationError } from "../errors.js";
import { LinePrefixer } from "./line-prefixer.js";

/** How an app ended. */
export interface AppEnd {
	/** Its exit code, or 128 + the number of the signal that ended it, as in a shell. */
	readonly exitCode: number;
	/** For people: `exit code 3`, `signal SIGSEGV`. */
	readonly description: string;
}

export interface ChildAppOptions {
	readonly command: readonly [string, ...string[]];
	readonly env: Readonly<Record<string, string | undefined>>;
	readonly stdout: AppOutput;
	readonly stderr: AppOutput;
}

/** Where lines of the app go. */
export interface AppOutput {
	readonly stream: Writable & { readonly isStalled?: boolean };
	/** So many lines were lost because nobody reads. */
	readonly onLost?: (lines: number) => void;
}

/** How often it is looked whether a reader that holds the app's output back still reads. */
const LOOK_FOR_READER_MS = 250;
/** How often the process group is looked at while it is being stopped. */
const LOOK_EVERY_MS = 20;
/** How long output is waited for that somebody outside the process group still holds open. */
const LAST_OUTPUT_MS = 500;

/**
 * The app, as a process that we started. It leads a process group of its own, so that Ctrl-C in the terminal reaches
 * us alone and the app lives until its last delivery is answered.
 */
export class ChildApp {
	/** Resolves when the process that was started has ended, for whatever reason. */
	readonly ended: Promise<AppEnd>;
	readonly pid: number;
	readonly #outputEnded: Promise<unknown>;
	#groupIsGone = false;

	private constructor(child: ChildProcess, pid: number) {
		this.pid = pid;
		this.ended = new Promise((resolve) => child.once("exit", (code, signal) => resolve(describeEnd(code, signal))));
		this.#outputEnded = new Promise((resolve) => child.once("close", resolve));
	}

	/** Starts the command; every line of its output is marked `== APP ==`. Rejects with ConfigurationError when it can't be started. */
	static async start({ command, env, stdout, stderr }: ChildAppOptions): Promise<ChildApp> {
		const child = await spawnInGroup(command, env);
		forwardLines(child.stdout, stdout);
		forwardLines(child.stderr, stderr);
		return new ChildApp(child, child.pid!);
	}

	/**
	 * Asks every process of the group to end (SIGTERM), and kills what is left after `gracePeriodMs` (0: waits without
	 * end). Resolves when none is left, with false when some had to be killed.
	 */
	async stop(gracePeriodMs: number): Promise<boolean> {
		const deadline = gracePeriodMs === 0 ? Number.POSITIVE_INFINITY : performance.now() + gracePeriodMs;
		this.#signalGroup("SIGTERM");
		while (this.#groupLives() && performance.now() < deadline) await delay(LOOK_EVERY_MS);
		const endedByItself = !this.#groupLives();
		if (!endedByItself) {
			this.kill();
			await this.ended;
		}
		await Promise.race([this.#outputEnded, delay(LAST_OUTPUT_MS, undefined, { ref: false })]);
		return endedByItself;
	}

	/** Ends every process of the group at once. For the case that there is no time for stop(). */
	kill(): void {
		this.#signalGroup("SIGKILL");
	}

	#groupLives(): boolean {
		this.#signalGroup(0);
		return !this.#groupIsGone;
	}

	#signalGroup(signal: NodeJS.Signals | 0): void {
		// Once the group was seen empty its number may belong to strangers.
		if (this.#groupIsGone) return;
		try {
			process.kill(-this.pid, signal);
		} catch {
			this.#groupIsGone = true;
		}
	}
}

/**
 * As pipe() does, but a target whose reader is gone or has stopped reading swallows lines, and counts them: the app must not block because
 * nobody reads its log.
 */
function forwardLines(source: Readable, { stream, onLost }: AppOutput): void {
	const lines = source.pipe(new LinePrefixer("== APP == "));
	const resume = () => lines.resume();
	stream.on("drain", resume).on("error", resume);
	// A reader that stops reading is not announced.
	const look = setInterval(() => stream.isStalled && resume(), LOOK_FOR_READER_MS).unref();
	lines.once("close", () => clearInterval(look));
	lines.on("data", (chunk: Buffer) => {
		if (!stream.writable || (stream.isStalled && stream.writableNeedDrain)) onLost?.(countLines(chunk));
		else if (!stream.write(chunk) && !stream.isStalled) lines.pause();
	});
}

function countLines(chunk: Buffer): number {
	let count = 0;
	for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) count++;
	return count;
}

async function spawnInGroup([program, ...rest]: ChildAppOptions["command"], env: ChildAppOptions["env"]) {
	try {
		const child = spawn(program, rest, { env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
		await once(child, "spawn");
		return child;
	} catch (error) {
		const message = `cannot start the app ${JSON.stringify(program)}: ${describeSpawnError(error)}`;
		throw new ConfigurationError(message, { cause: error });
	}
}

function describeEnd(code: number | null, signal: NodeJS.Signals | null): AppEnd {
	if (signal === null) return { exitCode: code ?? 0, description: `exit code ${code}` };
	return { exitCode: 128 + constants.signals[signal], description: `signal ${signal}` };
}

function describeSpawnError(error: unknown): string {
	const { code, message } = error as NodeJS.ErrnoException;
	if (code === "ENOENT") return "there is no such command";
	if (code === "EACCES") return "it is not executable";
	return message;
}
