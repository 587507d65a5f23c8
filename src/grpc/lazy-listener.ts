import { createServer, type Server, type Socket } from "node:net";

/** Takes connections over that were accepted elsewhere. */
export interface ConnectionTaker {
	take(socket: Socket): void;
}

/**
 * Listeners whose connections go to a server that is loaded with the first of them: gRPC's library costs a process that nobody calls
 * over gRPC neither time nor memory.
 */
export class LazyListener {
	readonly #load: () => Promise<ConnectionTaker>;
	readonly #onError: (error: unknown) => void;
	#taker: ConnectionTaker | undefined;
	#loading: Promise<ConnectionTaker> | undefined;

	/** `load` is called once. `onError`: it failed; connections are refused then. */
	constructor(load: () => Promise<ConnectionTaker>, onError: (error: unknown) => void) {
		this.#load = load;
		this.#onError = onError;
	}

	/** Loads what serves, where that is wanted before the first connection. Rejects when it can't be had. */
	async load(): Promise<ConnectionTaker> {
		this.#loading ??= this.#load();
		this.#taker = await this.#loading;
		return this.#taker;
	}

	/** True once load() has been called, or a connection came. */
	get isLoading(): boolean {
		return this.#loading !== undefined;
	}

	/** One more server; it does not listen yet. At most `maxConnections` at once. */
	createServer(maxConnections: number): Server {
		const server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => this.#accepted(socket));
		server.maxConnections = maxConnections;
		return server;
	}

	#accepted(socket: Socket): void {
		// Until somebody has taken it, an error of it would end the process.
		socket.on("error", () => {});
		if (this.#taker !== undefined) {
			hand(socket, this.#taker);
			return;
		}
		this.load().then(
			(taker) => hand(socket, taker),
			(error: unknown) => {
				this.#onError(error);
				socket.destroy();
			},
		);
	}
}

function hand(socket: Socket, taker: ConnectionTaker): void {
	if (socket.destroyed) return;
	taker.take(socket);
	socket.resume();
}
