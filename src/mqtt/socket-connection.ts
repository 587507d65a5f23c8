import type { Socket } from "node:net";
import type { BrokerUrl } from "./broker-url.js";
import type { ConnectionListener } from "./connection.js";
import { StreamConnection } from "./stream-connection.js";

/** MQTT's bytes as they are, over TCP or TLS [MQTT-7.1.2-1]. */
export class SocketConnection extends StreamConnection {
	readonly #socket: Socket;

	constructor(url: BrokerUrl, socket: Socket, listener: ConnectionListener) {
		super(url, socket, listener);
		this.#socket = socket;
		socket.on("close", () => this.gone());
		socket.on("data", (chunk: Buffer) => this.received(chunk));
	}

	protected send(bytes: Buffer): void {
		this.#socket.write(bytes);
	}

	protected pauseReading(): void {
		this.#socket.pause();
	}

	protected resumeReading(): void {
		this.#socket.resume();
	}

	protected finish(): void {
		this.#socket.end();
	}
}
