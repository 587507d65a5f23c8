import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { Arrivals } from "./arrivals.js";
import { ScriptedConnection } from "./scripted-connection.js";

export type { ConnectionEnd, Packet, PacketOf, ReceivedPacket, ScriptedConnection } from "./scripted-connection.js";

/** Starts a broker that does what the test says and nothing else: the bad one, for what a good broker never does. `port`: default any free one. */
export async function startScriptedBroker(port = 0, host = "127.0.0.1"): Promise<ScriptedBroker> {
	const server = createServer({ allowHalfOpen: true, noDelay: true });
	server.listen(port, host);
	await once(server, "listening");
	return new ScriptedBroker(server);
}

/** A listening scripted broker. Disposing cuts all connections. */
export class ScriptedBroker implements AsyncDisposable {
	readonly port: number;
	/** `mqtt://host:port`. */
	readonly url: string;
	/** All connections so far, in order. */
	readonly connections: ScriptedConnection[] = [];
	readonly #server: Server;
	readonly #sockets = new Set<Socket>();
	readonly #waiting = new Arrivals<ScriptedConnection>();

	constructor(server: Server) {
		const address = server.address();
		if (typeof address !== "object" || !address) throw new Error("the scripted broker does not listen");
		this.port = address.port;
		this.url = `mqtt://${address.address}:${address.port}`;
		this.#server = server;
		server.on("connection", (socket) => {
			this.#sockets.add(socket);
			socket.once("close", () => this.#sockets.delete(socket));
			const connection = new ScriptedConnection(socket);
			this.connections.push(connection);
			this.#waiting.add(connection);
		});
	}

	/** Takes the next connection, in the order they came; rejects after `timeoutMs`. */
	async accept(timeoutMs = 5_000): Promise<ScriptedConnection> {
		return await this.#waiting.take("expected a connection", timeoutMs);
	}

	/** Asserts that for `ms` from now no connection comes, and that none waits to be accepted. */
	async nobody(ms: number): Promise<void> {
		await this.#waiting.none("expected no connection", ms);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		const closed = once(this.#server, "close");
		this.#server.close();
		for (const socket of this.#sockets) socket.destroy();
		await closed;
	}
}
