import { findProgram } from "./find-program.js";
import { freePort } from "./free-port.js";
import { type MosquittoOptions, type MosquittoPorts, writeMosquittoFiles } from "./mosquitto-files.js";
import { type Program, startProgram } from "./process.js";
import { type TempFolder, tempFolder } from "./temp-folder.js";

export type { MosquittoOptions } from "./mosquitto-files.js";

/** True when mosquitto can be started here. */
export function hasMosquitto(): boolean {
	return findProgram("mosquitto") !== undefined;
}

/** Starts a mosquitto of the test's own, on free ports and in a temporary folder; resolves once it listens. */
export async function startMosquitto(options: MosquittoOptions = {}): Promise<Mosquitto> {
	const folder = await tempFolder();
	try {
		// Somebody may take a port between the look and the use.
		for (let attempt = 1; ; attempt++) {
			const mosquitto = new Mosquitto(folder, await choosePorts(options), options);
			try {
				await mosquitto.start();
				return mosquitto;
			} catch (error) {
				if (attempt === 3 || !mosquitto.log.some((line) => line.includes("Address already in use"))) throw error;
			}
		}
	} catch (error) {
		await folder[Symbol.asyncDispose]();
		throw error;
	}
}

async function choosePorts({ tls, websocket }: MosquittoOptions): Promise<MosquittoPorts> {
	return {
		tcp: await freePort(),
		...(tls && { tls: await freePort() }),
		...(websocket && { websocket: await freePort() }),
	};
}

/** A real broker under test, which can be stopped, killed, frozen, and started again on its ports and its data. */
export class Mosquitto implements AsyncDisposable {
	/** `mqtt://127.0.0.1:port`. */
	readonly url: string;
	/** `mqtts://127.0.0.1:port`; only with `tls`. */
	readonly tlsUrl: string | undefined;
	/** `ws://127.0.0.1:port`; only with `websocket`. */
	readonly websocketUrl: string | undefined;
	/** The TCP port. */
	readonly port: number;
	readonly #folder: TempFolder;
	readonly #ports: MosquittoPorts;
	#options: MosquittoOptions;
	#program: Program | undefined;
	readonly #earlierLog: string[] = [];

	constructor(folder: TempFolder, ports: MosquittoPorts, options: MosquittoOptions) {
		this.#folder = folder;
		this.#ports = ports;
		this.#options = options;
		this.port = ports.tcp;
		this.url = `mqtt://127.0.0.1:${ports.tcp}`;
		this.tlsUrl = ports.tls === undefined ? undefined : `mqtts://127.0.0.1:${ports.tls}`;
		this.websocketUrl = ports.websocket === undefined ? undefined : `ws://127.0.0.1:${ports.websocket}`;
	}

	/** What it logged, all starts together. */
	get log(): readonly string[] {
		return [...this.#earlierLog, ...(this.#program?.output ?? [])];
	}

	/** The process id of the present start; -1 while it is down. */
	get pid(): number {
		return this.#program?.running ? this.#program.pid : -1;
	}

	/** Starts it again, on the same ports and data, with `changes` to its settings (not to its listeners); resolves once it listens. */
	async start(changes: Omit<MosquittoOptions, "tls" | "websocket"> = {}): Promise<void> {
		if (this.#program?.running) throw new Error("mosquitto runs already");
		this.#options = { ...this.#options, ...changes };
		const config = await writeMosquittoFiles(this.#folder, this.#ports, this.#options);
		this.#earlierLog.push(...(this.#program?.output ?? []));
		this.#program = startProgram(findProgram("mosquitto") ?? "mosquitto", ["-c", config], { name: "mosquitto" });
		await this.#program.line(/mosquitto version \S+ running/);
	}

	/** Ends it in good order, with its data saved where `persistence` is on; rejects when it does not end well. */
	async stop(): Promise<void> {
		if (!this.#program?.running) return;
		this.thaw();
		const { code, signal } = await this.#program.stop();
		if (code !== 0) throw new Error(`mosquitto ended with ${signal ?? code}:\n${this.log.slice(-20).join("\n")}`);
	}

	/** SIGKILL: what it has not saved is lost. */
	async kill(): Promise<void> {
		await this.#program?.kill();
	}

	/** Takes up other users and other access rights while it runs; resolves when it says so. */
	async reload(changes: Pick<MosquittoOptions, "users" | "acl">): Promise<void> {
		this.#options = { ...this.#options, ...changes };
		await writeMosquittoFiles(this.#folder, this.#ports, this.#options);
		this.#program?.signal("SIGHUP");
		await this.line(/Reloading config/);
	}

	/** SIGSTOP: connections stay, nothing is read or answered. */
	freeze(): void {
		this.#program?.signal("SIGSTOP");
	}

	/** SIGCONT: it goes on where it was frozen. */
	thaw(): void {
		this.#program?.signal("SIGCONT");
	}

	/** Resolves with the first log line of the present start, past or to come, that matches. */
	async line(pattern: RegExp, timeoutMs?: number): Promise<RegExpMatchArray> {
		if (!this.#program) throw new Error("mosquitto was not started");
		return await this.#program.line(pattern, timeoutMs);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.kill();
		await this.#folder[Symbol.asyncDispose]();
	}
}
