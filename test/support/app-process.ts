import { join } from "node:path";
import { AppLog } from "./app-log.js";
import type { AppScript } from "./app-script.js";
import { freePort } from "./free-port.js";
import { type Exit, type Program, startProgram } from "./process.js";
import { type TempFolder, tempFolder } from "./temp-folder.js";

export type { AppRequest } from "./app-log.js";
export type { AppScript } from "./app-script.js";

/** The command line of the app, for who starts it by other means. Port 0: any free one, which its first line of output names. */
export function appCommand(port: number, logFile: string, script: AppScript = {}): readonly [string, ...string[]] {
	return [process.execPath, join(import.meta.dirname, "app-main.mjs"), String(port), logFile, JSON.stringify(script)];
}

/** Starts an HTTP app as a process of its own; resolves once it listens. */
export async function startApp(script: AppScript = {}): Promise<AppProcess> {
	const folder = await tempFolder();
	const app = new AppProcess(folder, await freePort(), script);
	try {
		await app.start();
		return app;
	} catch (error) {
		await app[Symbol.asyncDispose]();
		throw error;
	}
}

/** An app under test, which can be killed and started again on its port; its log goes on. */
export class AppProcess extends AppLog implements AsyncDisposable {
	readonly port: number;
	/** `http://127.0.0.1:port`. */
	readonly url: string;
	/** When it was gone, in milliseconds on the clock of its log. */
	readonly ends: number[] = [];
	readonly #folder: TempFolder;
	#script: AppScript;
	#program: Program | undefined;
	#scripts = 0;

	constructor(folder: TempFolder, port: number, script: AppScript) {
		super(join(folder.path, "app.log"));
		this.#folder = folder;
		this.#script = script;
		this.port = port;
		this.url = `http://127.0.0.1:${port}`;
	}

	/** Starts it again on the same port; resolves once it listens. */
	async start(): Promise<void> {
		if (this.#program?.running) throw new Error("the app runs already");
		const [command, ...args] = appCommand(this.port, join(this.#folder.path, "app.log"), this.#script);
		this.#program = startProgram(command, args, { name: "app", ipc: true });
		void this.#program.exited.then(() => this.ends.push(Number(process.hrtime.bigint()) / 1e6));
		await this.#program.line(/listening on/);
	}

	/** From the resolution on it answers so, now and after a start; requests under way keep the answer that they found. */
	async answer(script: AppScript): Promise<void> {
		this.#script = script;
		const program = this.#program;
		if (!program?.running) return;
		const id = ++this.#scripts;
		const applied = new Promise<void>((resolve) => {
			const leave = program.onMessage((message) => {
				if ((message as { applied?: number }).applied !== id) return;
				leave();
				resolve();
			});
		});
		program.send({ script, id });
		await Promise.race([applied, program.exited]);
	}

	/** The process id; -1 while it is down. */
	get pid(): number {
		return this.#program?.running ? this.#program.pid : -1;
	}

	/** Resolves when its present life ends. */
	get exited(): Promise<Exit> {
		if (!this.#program) throw new Error("the app was not started");
		return this.#program.exited;
	}

	/** SIGKILL; resolves when it is gone. */
	async kill(): Promise<void> {
		await this.#program?.kill();
	}

	/** SIGSTOP: connections stay, nothing is read or answered. */
	freeze(): void {
		this.#program?.signal("SIGSTOP");
	}

	/** SIGCONT. */
	thaw(): void {
		this.#program?.signal("SIGCONT");
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.kill();
		await this.#folder[Symbol.asyncDispose]();
	}
}
