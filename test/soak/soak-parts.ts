import { closeSync, openSync, readSync } from "node:fs";
import { unlink } from "node:fs/promises";
import { join } from "node:path";
import { type FaultProxy, startFaultProxy } from "../faults/support/fault-proxy.js";
import { freePort } from "../support/free-port.js";
import { type Mosquitto, startMosquitto } from "../support/mosquitto.js";
import { type Program, startProgram } from "../support/process.js";
import { type SidecarProcess, startSidecar } from "../support/sidecar-process.js";
import { type TempFolder, tempFolder } from "../support/temp-folder.js";

/** How the app answers. */
export interface Manner {
	readonly delayMs: readonly [least: number, most: number];
	readonly status: number;
}

export const WELL: Manner = { delayMs: [0, 0], status: 200 };

/** The app as a process, whose lives write a file each. */
export class SoakApp implements AsyncDisposable {
	readonly port: number;
	readonly #folder: TempFolder;
	#program: Program | undefined;
	#manner = WELL;
	/** Files that are not read to their end; the last one is being written. */
	readonly #files: { readonly path: string; offset: number; rest: string }[] = [];
	#lives = 0;

	constructor(folder: TempFolder, port: number) {
		this.#folder = folder;
		this.port = port;
	}

	async start(): Promise<void> {
		const path = join(this.#folder.path, `app-${++this.#lives}.log`);
		const command = [join(import.meta.dirname, "soak-app.mjs"), String(this.port), path];
		this.#program = startProgram(process.execPath, command, { name: "app", ipc: true });
		await this.#program.line(/listening/);
		this.#files.push({ path, offset: 0, rest: "" });
		this.#program.send(this.#manner);
	}

	behave(manner: Manner): void {
		this.#manner = manner;
		if (this.#program?.running) this.#program.send(manner);
	}

	async kill(): Promise<void> {
		await this.#program?.kill();
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.kill();
	}

	signal(signal: NodeJS.Signals): void {
		this.#program?.signal(signal);
	}

	/** Calls `entry` for each answer since the last time; files of ended lives go. */
	read(entry: (accepted: boolean, number: number) => void): void {
		const chunk = Buffer.alloc(256 * 1024);
		for (const file of [...this.#files]) {
			const descriptor = openSync(file.path, "a+");
			for (;;) {
				const length = readSync(descriptor, chunk, 0, chunk.length, file.offset);
				if (length === 0) break;
				file.offset += length;
				const lines = (file.rest + chunk.toString("latin1", 0, length)).split("\n");
				file.rest = lines.pop() ?? "";
				for (const line of lines) entry(line.startsWith("+"), Number(line.slice(1)));
			}
			closeSync(descriptor);
			if (file === this.#files.at(-1)) continue;
			this.#files.splice(this.#files.indexOf(file), 1);
			void unlink(file.path);
		}
	}
}

/** All that a soak runs. */
export interface SoakParts {
	readonly broker: Mosquitto;
	readonly proxy: FaultProxy;
	readonly app: SoakApp;
	readonly sidecar: SidecarProcess;
}

/** mosquitto ← proxy ← sidecar → app, for as long as `run` takes. */
export async function withSoakParts<T>(random: () => number, run: (parts: SoakParts) => Promise<T>): Promise<T> {
	await using folder = await tempFolder();
	await using broker = await startMosquitto({ persistence: true, autosaveInterval: 1 });
	await using proxy = await startFaultProxy(broker.port, { random });
	await using app = new SoakApp(folder, await freePort());
	await app.start();
	await using sidecar = await startSidecar({
		components: component(proxy.url),
		appPort: app.port,
		httpPort: await freePort(),
	});
	return await run({ broker, proxy, app, sidecar });
}

function component(url: string): string {
	return `apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: soak
spec:
  type: bindings.mqtt3
  metadata:
    - { name: url, value: "${url}" }
    - { name: topic, value: soak/in }
    - { name: consumerID, value: soak }
    - { name: keepAlive, value: 5s }
    - { name: connectTimeout, value: 5s }
    - { name: backOffMaxRetries, value: "3" }
    - { name: backOffInterval, value: 500ms }
    - { name: holdInterval, value: 2s }
`;
}
