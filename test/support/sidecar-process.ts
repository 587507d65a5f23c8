import { join } from "node:path";
import { type Exit, type Program, startProgram } from "./process.js";
import { type TempFolder, tempFolder } from "./temp-folder.js";

const MAIN = join(import.meta.dirname, "..", "..", "dist", "cli", "main.js");

/** How to start the sidecar. */
export interface SidecarOptions {
	/** Text of one component file, which may hold several documents; this or `resourcesPath`. */
	readonly components?: string;
	/** A folder that is there already. */
	readonly resourcesPath?: string;
	/** Default `test-app`. */
	readonly appId?: string;
	/** Absent: no app. */
	readonly appPort?: number;
	/** Default 0, any free one. */
	readonly httpPort?: number;
	/** More flags. */
	readonly args?: readonly string[];
	/** The app's command line, which goes after `--`. */
	readonly command?: readonly string[];
	/** Added to this process's environment; undefined takes a variable away. */
	readonly env?: Readonly<Record<string, string | undefined>>;
	/** Flags for Node itself, such as `--max-old-space-size=64`. */
	readonly nodeArgs?: readonly string[];
	/** The command line's main module; default that of `dist`. */
	readonly main?: string;
	/** A command that runs Node with what follows, such as `["prlimit", "--nofile=64"]`; it must become Node by exec. */
	readonly under?: readonly string[];
}

/** Starts `mqtt3-binding run` as a process of its own; resolves once its HTTP API listens, rejects with its output when it ends before that. */
export async function startSidecar(options: SidecarOptions): Promise<SidecarProcess> {
	const sidecar = await launchSidecar(options);
	try {
		await sidecar.listening();
		return sidecar;
	} catch (error) {
		await sidecar[Symbol.asyncDispose]();
		throw error;
	}
}

/** The same without waiting: for starts that fail, and for what happens before it listens. */
export async function launchSidecar(options: SidecarOptions): Promise<SidecarProcess> {
	const folder = await tempFolder(options.components === undefined ? {} : { "components.yaml": options.components });
	return new SidecarProcess(folder, options);
}

/** A sidecar under test, which can be killed and started again with the same components. */
export class SidecarProcess implements AsyncDisposable {
	readonly #folder: TempFolder;
	readonly #options: SidecarOptions;
	#program: Program;
	#port: number | undefined;

	constructor(folder: TempFolder, options: SidecarOptions) {
		this.#folder = folder;
		this.#options = options;
		this.#program = this.#launch();
	}

	/** Port of the HTTP API; known once it listens. */
	get port(): number {
		if (this.#port === undefined) throw new Error("the sidecar does not listen yet");
		return this.#port;
	}

	/** `http://127.0.0.1:port`. */
	get url(): string {
		return `http://127.0.0.1:${this.port}`;
	}

	get pid(): number {
		return this.#program.pid;
	}

	get running(): boolean {
		return this.#program.running;
	}

	/** The folder that `--resources-path` names. */
	get resourcesPath(): string {
		return this.#options.resourcesPath ?? this.#folder.path;
	}

	/** Its output lines, stdout and stderr, since the last start. */
	get output(): readonly string[] {
		return this.#program.output;
	}

	/** Resolves when it is gone. */
	get exited(): Promise<Exit> {
		return this.#program.exited;
	}

	/** Resolves with the first output line since the last start, past or to come, that matches. */
	async line(pattern: RegExp, timeoutMs?: number): Promise<RegExpMatchArray> {
		return await this.#program.line(pattern, timeoutMs);
	}

	/** Resolves when its HTTP API listens; rejects when it ends before. */
	async listening(): Promise<void> {
		const [, port] = await this.#program.line(/listening on http:\/\/127\.0\.0\.1:(\d+)/);
		this.#port = Number(port);
	}

	/** Where its gRPC API listens, as gRPC names it. */
	async grpcTarget(): Promise<string> {
		const [, target] = await this.#program.line(/gRPC on (127\.0\.0\.1:\d+|unix:\S+)/);
		return target!;
	}

	/** What a scrape of its metrics gives. */
	async metrics(): Promise<string> {
		const [, url] = await this.#program.line(/metrics on (http:[^\s"]+)/);
		return await (await fetch(url!)).text();
	}

	/** `POST /v1.0/bindings/{binding}`: an object goes as JSON, text and bytes as they are. */
	async create(binding: string, body: object | string | Uint8Array, init: RequestInit = {}): Promise<Response> {
		const plain = typeof body === "string" || body instanceof Uint8Array;
		return await fetch(`${this.url}/v1.0/bindings/${encodeURIComponent(binding)}`, {
			method: "POST",
			body: plain ? body : JSON.stringify(body),
			...init,
			headers: { "content-type": "application/json", ...(init.headers as Record<string, string> | undefined) },
		});
	}

	/** `GET /v1.0/healthz/ready`: the status, 200 or 503, and the answer's JSON. */
	async ready(): Promise<{ readonly status: number; readonly body: unknown }> {
		const answer = await fetch(`${this.url}/v1.0/healthz/ready`);
		return { status: answer.status, body: await answer.json() };
	}

	/** Sends a signal. */
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

	/** Starts it again, with the same options, and waits until it listens; its HTTP port may be another. */
	async start(): Promise<void> {
		if (this.#program.running) throw new Error("the sidecar runs already");
		this.#program = this.#launch();
		await this.listening();
	}

	/** Kills it; where it has started an app, asks it first to end, as nobody else would end the app. */
	async [Symbol.asyncDispose](): Promise<void> {
		if (this.#options.command) await this.#program[Symbol.asyncDispose]();
		else await this.kill();
		await this.#folder[Symbol.asyncDispose]();
	}

	#launch(): Program {
		const { appId = "test-app", appPort, httpPort = 0, args = [], command, env = {}, nodeArgs = [] } = this.#options;
		const { main = MAIN } = this.#options;
		const { under: [program = process.execPath, ...before] = [] } = this.#options;
		this.#port = undefined;
		return startProgram(
			program,
			[
				...before,
				...(program === process.execPath ? [] : [process.execPath]),
				...nodeArgs,
				main,
				"run",
				...["--app-id", appId, "--dapr-http-port", String(httpPort), "--resources-path", this.resourcesPath],
				...["--dapr-grpc-port", "0", "--metrics-port", "0"],
				...(appPort === undefined ? [] : ["--app-port", String(appPort)]),
				...args,
				...(command ? ["--", ...command] : []),
			],
			{ name: "sidecar", env },
		);
	}
}
