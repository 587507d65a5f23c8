import { generate, type Packet, parser } from "mqtt-packet";
import { MqttConnectionError } from "../../src/errors.js";
import type { Connection, ConnectionListener, Dial } from "../../src/mqtt/connection.js";

interface PendingDial {
	readonly listener: ConnectionListener;
	readonly resolve: (connection: Connection) => void;
}

/** Connections in memory: the client's end is what `dial` gives, the other is moved by the test, which calls pump() where an event loop would. */
export class MemoryWire {
	#pending: PendingDial | undefined;
	#end: MemoryConnection | undefined;
	readonly dial: Dial = (_url, { timeoutMs }, listener, signal) =>
		new Promise<Connection>((resolve, reject) => {
			const giveUp = () => {
				if (this.#pending !== pending) return;
				this.#pending = undefined;
				clearTimeout(timer);
				reject(lost("nobody answered", "timeout"));
			};
			const timer = setTimeout(giveUp, timeoutMs);
			const accept = (connection: Connection) => {
				clearTimeout(timer);
				resolve(connection);
			};
			const pending = { listener, resolve: accept };
			this.#pending = pending;
			signal.addEventListener("abort", giveUp, { once: true });
		});

	/** The client waits for a connection. */
	get isDialling(): boolean {
		return this.#pending !== undefined;
	}

	get isOpen(): boolean {
		return this.#end !== undefined;
	}

	/** Opens the connection that the client waits for. */
	accept(): void {
		const { listener, resolve } = this.#pending!;
		this.#pending = undefined;
		this.#end = new MemoryConnection(listener);
		resolve(this.#end);
	}

	/** What the client wrote since the last call. */
	take(): readonly Packet[] {
		return this.#end?.written.splice(0) ?? [];
	}

	send(packet: Packet): void {
		this.#end?.arriving.push(generate(packet, { protocolVersion: 4 }));
	}

	/** The client's socket takes no more, or takes more again. */
	clog(isClogged: boolean): void {
		this.#end?.clog(isClogged);
	}

	/** The connection is gone, and what is on its way with it. */
	cut(): void {
		const end = this.#end;
		this.#end = undefined;
		end?.close(lost("reset", "reset"));
	}

	/** The client is no more: it is told nothing. */
	crash(): void {
		this.#end = undefined;
		this.#pending = undefined;
	}

	/** The client does not read. */
	get isPaused(): boolean {
		return this.#end?.isPaused ?? false;
	}

	/** Lets the client see what came. False: there was nothing. */
	pump(): boolean {
		const end = this.#end;
		if (end === undefined) return false;
		const hadNews = end.pump();
		if (end.isClosed) this.#end = undefined;
		return hadNews;
	}
}

class MemoryConnection implements Connection {
	readonly #listener: ConnectionListener;
	readonly #parser = parser({ protocolVersion: 4 });
	readonly written: Packet[] = [];
	readonly arriving: Buffer[] = [];
	readonly bytesWaiting = 0;
	#cause: MqttConnectionError | undefined;
	#ended: (() => void) | undefined;
	#isClogged = false;
	#drains = false;
	isPaused = false;
	isClosed = false;

	constructor(listener: ConnectionListener) {
		this.#listener = listener;
		this.#parser.on("packet", (packet) => this.written.push(packet));
	}

	get isFull(): boolean {
		return this.isClosed || this.#isClogged;
	}

	write(bytes: Buffer): boolean {
		if (!this.isClosed) this.#parser.parse(bytes);
		return !this.isFull;
	}

	pause(): void {
		this.isPaused = true;
	}

	resume(): void {
		this.isPaused = false;
	}

	clog(isClogged: boolean): void {
		if (this.#isClogged && !isClogged) this.#drains = true;
		this.#isClogged = isClogged;
	}

	end(): Promise<void> {
		this.#cause ??= lost("ended by us");
		return new Promise((resolve) => {
			this.#ended = resolve;
		});
	}

	destroy(cause: MqttConnectionError): void {
		this.#cause ??= cause;
	}

	pump(): boolean {
		if (this.#cause !== undefined) {
			this.close(this.#cause);
			return true;
		}
		if (this.#drains) {
			this.#drains = false;
			this.#listener.drain();
			return true;
		}
		if (this.isPaused || this.arriving.length === 0) return false;
		this.#listener.data(Buffer.concat(this.arriving.splice(0)));
		return true;
	}

	close(cause: MqttConnectionError): void {
		if (this.isClosed) return;
		this.isClosed = true;
		this.#listener.closed(cause);
		this.#ended?.();
	}
}

function lost(message: string, reason: MqttConnectionError["reason"] = "local"): MqttConnectionError {
	return new MqttConnectionError(`memory: ${message}`, { url: "mqtt://memory", reason });
}
