import type { Server, Socket } from "node:net";
import { ConfigurationError } from "../errors.js";

/** The ports of one broker and the sockets that came in through them, at most so many at once. */
export class Listeners {
	readonly #host: string;
	readonly #maxSockets: number;
	readonly #servers: Server[] = [];
	readonly #sockets = new Set<Socket>();

	constructor(host: string, maxSockets: number) {
		this.#host = host;
		this.#maxSockets = maxSockets;
	}

	/** Listens on `port`, 0 for any free one, and resolves with the port; rejects with ConfigurationError when it can't be had. */
	async open(server: Server, port: number): Promise<number> {
		this.#servers.push(server);
		server.prependListener("connection", (socket: Socket) => this.#admit(socket));
		await new Promise<void>((resolve, reject) => {
			const onError = (cause: Error) => {
				const message = `broker: cannot listen on ${this.#host}:${port}: ${cause.message}`;
				reject(new ConfigurationError(message, { property: "port", cause }));
			};
			server.once("error", onError);
			server.listen(port, this.#host, () => {
				server.off("error", onError);
				resolve();
			});
		});
		const address = server.address();
		return typeof address === "object" && address ? address.port : port;
	}

	/** `scheme://host:port` of a port of ours. */
	urlOf(scheme: string, port: number): string {
		return `${scheme}://${this.#host.includes(":") ? `[${this.#host}]` : this.#host}:${port}`;
	}

	/** Closes the ports and cuts all sockets; resolves when they are gone. */
	async close(): Promise<void> {
		const closed = this.#servers.map((server) => new Promise((resolve) => server.close(resolve)));
		for (const socket of this.#sockets) socket.destroy();
		await Promise.all(closed);
	}

	#admit(socket: Socket): void {
		if (this.#sockets.size >= this.#maxSockets) {
			socket.destroy();
			return;
		}
		this.#sockets.add(socket);
		socket.once("close", () => this.#sockets.delete(socket));
	}
}
