import { join } from "node:path";
import { type Exit, type Program, startProgram } from "./process.js";
import { type TempFolder, tempFolder } from "./temp-folder.js";

const MAIN = join(import.meta.dirname, "..", "..", "dist", "cli", "main.js");

export interface ComponentProcessOptions {
	/** Default `mqtt3`. */
	readonly names?: readonly string[];
	/** Default: one of its own. */
	readonly folder?: string;
	/** More flags. */
	readonly args?: readonly string[];
	/** Added to this process's environment; undefined takes a variable away. */
	readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Starts `mqtt3-binding component` as a process of its own; resolves once daprd can find it, rejects with its output when it ends before. */
export async function startComponent(options: ComponentProcessOptions = {}): Promise<ComponentProcess> {
	const component = await launchComponent(options);
	try {
		await component.listening();
		return component;
	} catch (error) {
		await component[Symbol.asyncDispose]();
		throw error;
	}
}

/** The same without waiting: for starts that fail. */
export async function launchComponent(options: ComponentProcessOptions = {}): Promise<ComponentProcess> {
	return new ComponentProcess(await tempFolder(), options);
}

/** A pluggable component under test, which can be killed and started again in the same folder. */
export class ComponentProcess implements AsyncDisposable {
	readonly #temp: TempFolder;
	readonly #options: ComponentProcessOptions;
	#program: Program;

	constructor(temp: TempFolder, options: ComponentProcessOptions) {
		this.#temp = temp;
		this.#options = options;
		this.#program = this.#launch();
	}

	/** Where the socket files are. */
	get folder(): string {
		return this.#options.folder ?? this.#temp.path;
	}

	/** The first socket file. */
	get socket(): string {
		return join(this.folder, `${this.#names[0]}.sock`);
	}

	get pid(): number {
		return this.#program.pid;
	}

	get output(): readonly string[] {
		return this.#program.output;
	}

	get exited(): Promise<Exit> {
		return this.#program.exited;
	}

	/** Resolves when all its socket files are there. */
	async listening(): Promise<void> {
		for (const name of this.#names) await this.line(new RegExp(`daprd finds it as type bindings\\.${name} `));
	}

	/** Resolves with the first output line since the last start, past or to come, that matches. */
	async line(pattern: RegExp, timeoutMs?: number): Promise<RegExpMatchArray> {
		return await this.#program.line(pattern, timeoutMs);
	}

	/** What a scrape of its metrics gives; with `--metrics-port`. */
	async metrics(): Promise<string> {
		const [, url] = await this.#program.line(/metrics on (http:[^\s"]+)/);
		return await (await fetch(url!)).text();
	}

	signal(signal: NodeJS.Signals): boolean {
		return this.#program.signal(signal);
	}

	/** Asks it to stop and waits; rejects when it doesn't within `timeoutMs`. */
	async stop(options: { readonly signal?: NodeJS.Signals; readonly timeoutMs?: number } = {}): Promise<Exit> {
		return await this.#program.stop(options);
	}

	/** SIGKILL; resolves when it is gone. */
	async kill(): Promise<Exit> {
		return await this.#program.kill();
	}

	/** Starts it again, with the same options. */
	async start(): Promise<void> {
		if (this.#program.running) throw new Error("the component runs already");
		this.#program = this.#launch();
		await this.listening();
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.kill();
		await this.#temp[Symbol.asyncDispose]();
	}

	get #names(): readonly string[] {
		return this.#options.names ?? ["mqtt3"];
	}

	#launch(): Program {
		const { args = [], env = {} } = this.#options;
		const names = this.#names.flatMap((name) => ["--name", name]);
		return startProgram(process.execPath, [MAIN, "component", "--socket-folder", this.folder, ...names, ...args], {
			name: "component",
			env,
		});
	}
}
