import { join } from "node:path";
import { eventually } from "./eventually.js";
import { findProgram } from "./find-program.js";
import { freePort } from "./free-port.js";
import { type Exit, type Program, startProgram } from "./process.js";
import { type TempFolder, tempFolder } from "./temp-folder.js";

export interface DaprdProcessOptions {
	/** Text of its component file. */
	readonly components: string;
	/** Where it looks for pluggable components. */
	readonly socketFolder: string;
	readonly appPort: number;
	/** More flags. */
	readonly args?: readonly string[];
}

/** Starts the `daprd` of the PATH; resolves when it serves. */
export async function startDaprd(options: DaprdProcessOptions): Promise<DaprdProcess> {
	const folder = await tempFolder({ "resources/component.yaml": options.components });
	const daprd = new DaprdProcess(folder, options, await freePort(), await freePort(), await freePort());
	try {
		await daprd.start();
		return daprd;
	} catch (error) {
		await daprd[Symbol.asyncDispose]();
		throw error;
	}
}

/** The real daprd, which can be killed and started again on its ports. */
export class DaprdProcess implements AsyncDisposable {
	readonly httpPort: number;
	readonly #folder: TempFolder;
	readonly #options: DaprdProcessOptions;
	readonly #grpcPort: number;
	readonly #internalPort: number;
	#program: Program | undefined;

	constructor(
		folder: TempFolder,
		options: DaprdProcessOptions,
		httpPort: number,
		grpcPort: number,
		internalPort: number,
	) {
		this.#folder = folder;
		this.#options = options;
		this.httpPort = httpPort;
		this.#grpcPort = grpcPort;
		this.#internalPort = internalPort;
	}

	get output(): readonly string[] {
		return this.#program?.output ?? [];
	}

	/** Starts it, again if it has ended; resolves when its API answers. */
	async start(): Promise<void> {
		const { appPort, socketFolder, args = [] } = this.#options;
		const flags = [
			...["--app-id", "interop", "--app-port", String(appPort), "--mode", "standalone"],
			...["--resources-path", join(this.#folder.path, "resources")],
			...["--dapr-http-port", String(this.httpPort), "--dapr-grpc-port", String(this.#grpcPort)],
			...["--dapr-internal-grpc-port", String(this.#internalPort), "--enable-metrics=false"],
			...["--dapr-graceful-shutdown-seconds", "2", ...args],
		];
		this.#program = startProgram(findProgram("daprd") ?? "daprd", flags, {
			name: "daprd",
			cwd: this.#folder.path,
			env: { DAPR_COMPONENTS_SOCKETS_FOLDER: socketFolder },
		});
		const program = this.#program;
		const ended = program.exited.then(() => {
			throw new Error(`daprd ended:\n${program.output.slice(-20).join("\n")}`);
		});
		await Promise.race([ended, this.#serving()]);
		ended.catch(() => {});
	}

	async #serving(): Promise<void> {
		const url = `http://127.0.0.1:${this.httpPort}/v1.0/healthz/outbound`;
		await eventually(async () => (await fetch(url)).status === 204, { timeoutMs: 20_000, everyMs: 50 });
	}

	/** Puts another text in the place of its component file, which it reloads. */
	async writeComponents(text: string): Promise<void> {
		await this.#folder.write("resources/component.yaml", text);
	}

	/** `POST /v1.0/bindings/orders`. */
	async create(data: unknown, metadata: Readonly<Record<string, string>>) {
		const answer = await fetch(`http://127.0.0.1:${this.httpPort}/v1.0/bindings/orders`, {
			method: "POST",
			body: JSON.stringify({ operation: "create", data, metadata }),
		});
		return { status: answer.status, text: await answer.text() };
	}

	async line(pattern: RegExp, timeoutMs?: number): Promise<RegExpMatchArray> {
		return await this.#program!.line(pattern, timeoutMs);
	}

	async stop(): Promise<Exit> {
		return await this.#program!.stop({ timeoutMs: 20_000 });
	}

	async kill(): Promise<void> {
		await this.#program?.kill();
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.kill();
		await this.#folder[Symbol.asyncDispose]();
	}
}
