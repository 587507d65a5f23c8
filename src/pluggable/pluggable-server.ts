import type { Server } from "node:net";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import type { Report } from "../bindings/binding.js";
import { GrpcServer } from "../grpc/grpc-server.js";
import { LazyListener } from "../grpc/lazy-listener.js";
import { KeptSocketFile } from "../sockets/kept-socket-file.js";
import { inputService } from "./input-service.js";
import { Instances } from "./instances.js";
import type { Memory } from "./memory.js";
import { outputService } from "./output-service.js";

export interface PluggableServerOptions {
	/** The folder that daprd looks into. */
	readonly folder: string;
	/** What daprd is to call the component's type: `mqtt3-ts` makes `bindings.mqtt3-ts`. One socket file for each. */
	readonly names: readonly string[];
	/** Of the socket files. Default 0660. */
	readonly socketMode?: number | undefined;
	readonly socketGid?: number | undefined;
	/** Absent: nothing is remembered over a restart. */
	readonly memory?: Memory | undefined;
	/** What happens; `component` is daprd's name of it. */
	readonly onReport: (component: string | undefined, report: Report) => void;
	/** Told of bugs. */
	readonly onBug: (error: unknown) => void;
}

/** daprd's limit on what it sends is the user's `--max-body-size`, which we don't know. */
const MAX_MESSAGE_BYTES = 256 * 1_024 * 1_024;
/** Calls at once on one connection of daprd; it has one for each half of each component. */
const MAX_STREAMS = 4_096;
const MAX_CONNECTIONS = 4_096;
/** Calls that go on when everything else is closed have so long. */
const LAST_CALLS_MS = 1_000;

/** The component as daprd finds it: gRPC on a Unix socket. */
export class PluggableServer {
	readonly instances: Instances;
	readonly #options: PluggableServerOptions;
	readonly #grpc: GrpcServer;
	readonly #listener: LazyListener;
	#files: readonly KeptSocketFile<Server>[] = [];

	constructor(options: PluggableServerOptions) {
		this.#options = options;
		const { onReport, onBug, memory } = options;
		this.instances = new Instances({ onReport, memory, isConnected: (peer) => this.#grpc.isConnected(peer) });
		this.#grpc = new GrpcServer({
			services: [inputService(this.instances, onReport, onBug), outputService(this.instances, onBug)],
			maxMessageSize: MAX_MESSAGE_BYTES,
			maxStreams: MAX_STREAMS,
		});
		this.#listener = new LazyListener(async () => this.#grpc, onBug);
	}

	/** Makes the socket files: each appears when it can answer. Resolves with their paths; rejects with ConfigurationError, and then none is left. */
	async listen(): Promise<readonly string[]> {
		const { folder, names, socketMode: mode, socketGid: gid, onReport } = this.#options;
		const onWarning = (message: string) => onReport(undefined, { level: "warn", code: "socket-file", message });
		const files: KeptSocketFile<Server>[] = [];
		await this.#listener.load();
		try {
			for (const name of names) {
				const place = { path: socketPath(folder, name), flag: "--socket-folder", mode, gid };
				files.push(await KeptSocketFile.open(place, () => this.#listener.createServer(MAX_CONNECTIONS), onWarning));
			}
		} catch (error) {
			await close(files);
			throw error;
		}
		this.#files = files;
		return names.map((name) => socketPath(folder, name));
	}

	/** First half of a graceful stop: no daprd finds us any more, nothing more goes to those that have. Resolves false when `signal` aborted before every event was answered. */
	async drain(signal: AbortSignal): Promise<boolean> {
		const drained = this.instances.drain(signal);
		await Promise.all(this.#files.map((file) => file.remove()));
		return await drained;
	}

	/** Second half: ends the Reads, acknowledges, disconnects. */
	async close(): Promise<void> {
		for (const instance of this.instances.all) {
			instance.endRead(status.UNAVAILABLE, "this component stops; daprd reads again only after its own restart");
		}
		await this.instances.close();
		await close(this.#files);
		await this.#grpc.close(LAST_CALLS_MS);
	}
}

/** Where daprd looks for the component of this name. */
export function socketPath(folder: string, name: string): string {
	return join(folder, `${name}.sock`);
}

async function close(files: readonly KeptSocketFile<Server>[]): Promise<void> {
	for (const file of files) {
		await file.remove();
		for (const server of file.servers) server.close();
	}
}
