import type { Socket } from "node:net";
import { MqttConnectionError } from "../errors.js";
import type { BrokerUrl } from "./broker-url.js";
import type { Connection, ConnectionListener } from "./connection.js";
import { connectionError } from "./connection-error.js";
import { SOCKET_BUFFER_BYTES } from "./open-socket.js";

/** What all Network Connections have in common: the way of our bytes into the socket, and how it ends. */
export abstract class StreamConnection implements Connection {
	readonly #url: BrokerUrl;
	readonly #socket: Socket;
	readonly #listener: ConnectionListener;
	/** What came while the socket was full, and the rest of large writes. Not empty only while full. */
	readonly #queue: Buffer[] = [];
	#queuedBytes = 0;
	#isFull = false;
	#stuckCheck: NodeJS.Immediate | undefined;
	#isStuck = false;
	/** Why it ends or ended; from then on the owner hears of nothing but closed(). */
	#cause: MqttConnectionError | undefined;
	#isClosed = false;
	#ended: Promise<void> | undefined;
	#resolveEnded: () => void = () => {};
	#endTimer: NodeJS.Timeout | undefined;

	protected constructor(url: BrokerUrl, socket: Socket, listener: ConnectionListener) {
		this.#url = url;
		this.#socket = socket;
		this.#listener = listener;
		socket.on("drain", () => this.#drained());
		socket.on("error", (error) => this.failed(error));
		// The peer says nothing more, so it will not acknowledge anything either: no half-open connections.
		socket.on("end", () => socket.destroy());
		if (socket.errored) this.failed(socket.errored);
	}

	/** Hands bytes to the socket, in frames where there are any. */
	protected abstract send(bytes: Buffer): void;
	protected abstract pauseReading(): void;
	protected abstract resumeReading(): void;
	/** Tells the peer, after all that was sent, that nothing more comes. */
	protected abstract finish(): void;

	get isFull(): boolean {
		return this.#isFull || this.#cause !== undefined || this.#socket.destroyed;
	}

	get bytesWaiting(): number {
		return this.#queuedBytes + this.#socket.writableLength;
	}

	write(bytes: Buffer): boolean {
		if (this.#cause !== undefined) return false;
		if (!this.#isFull && bytes.length <= SOCKET_BUFFER_BYTES) {
			this.send(bytes);
		} else {
			this.#queue.push(bytes);
			this.#queuedBytes += bytes.length;
			if (this.#isFull) return false;
			this.#feed();
		}
		if (!this.#isSocketFull()) return true;
		this.#markFull();
		return false;
	}

	pause(): void {
		if (this.#cause === undefined) this.pauseReading();
	}

	resume(): void {
		if (this.#cause === undefined) this.resumeReading();
	}

	end(timeoutMs: number): Promise<void> {
		if (this.#isClosed) return Promise.resolve();
		this.#ended ??= new Promise((resolve) => {
			this.#resolveEnded = resolve;
		});
		if (this.#cause === undefined) {
			const { href } = this.#url;
			this.#cause = new MqttConnectionError(`connection to ${href} closed by us`, { url: href, reason: "local" });
			this.#endTimer = setTimeout(() => this.#socket.destroy(), timeoutMs);
			// Bytes left unread in the socket would make of the close a reset, which destroys what the peer has not read yet.
			this.resumeReading();
			if (this.#queue.length === 0) this.finish();
		}
		return this.#ended;
	}

	destroy(cause: MqttConnectionError): void {
		this.#cause ??= cause;
		this.#socket.destroy();
	}

	/** Bytes came from the peer. */
	protected received(chunk: Buffer): void {
		if (this.#cause === undefined) this.#listener.data(chunk);
	}

	/** Something broke it. */
	protected failed(error: Error): void {
		this.destroy(connectionError(this.#url, error, "open"));
	}

	/** The socket is closed and all that it brought has been handed on. */
	protected gone(detail = "the broker closed it"): void {
		if (this.#isClosed) return;
		this.#isClosed = true;
		const { href } = this.#url;
		this.#cause ??= new MqttConnectionError(`connection to ${href} lost: ${detail}`, { url: href, reason: "closed" });
		this.#queue.length = 0;
		this.#queuedBytes = 0;
		clearImmediate(this.#stuckCheck);
		clearTimeout(this.#endTimer);
		this.#resolveEnded();
		this.#listener.closed(this.#cause);
	}

	/** A socket of Node counts as full also for a moment when the system took everything at once; this does not. */
	#isSocketFull(): boolean {
		return this.#socket.writableNeedDrain && this.#socket.writableLength > 0;
	}

	/**
	 * It was truly full when it is so still after a turn of the event loop: TLS reports later than the system takes the bytes.
	 * Only then is room a sign that the peer lives.
	 */
	#markFull(): void {
		this.#isFull = true;
		this.#isStuck = false;
		clearImmediate(this.#stuckCheck);
		this.#stuckCheck = setImmediate(() => {
			this.#isStuck = true;
		});
	}

	#drained(): void {
		if (!this.#isFull || this.#isClosed) return;
		const isLife = this.#isStuck;
		this.#isFull = false;
		clearImmediate(this.#stuckCheck);
		this.#feed();
		if (this.#isSocketFull()) this.#markFull();
		if (isLife && this.#cause === undefined) this.#listener.progress?.();
		if (this.#isFull) return;
		if (this.#cause === undefined) this.#listener.drain();
		else if (this.#ended !== undefined) this.finish();
	}

	/** In pieces, so that on a slow link each piece that leaves is seen. */
	#feed(): void {
		while (this.#queue.length > 0 && !this.#isSocketFull()) {
			let room = SOCKET_BUFFER_BYTES;
			this.#socket.cork();
			while (this.#queue.length > 0 && room > 0) {
				const first = this.#queue[0]!;
				const piece = first.length <= room ? first : first.subarray(0, room);
				if (piece === first) this.#queue.shift();
				else this.#queue[0] = first.subarray(room);
				this.send(piece);
				room -= piece.length;
				this.#queuedBytes -= piece.length;
			}
			this.#socket.uncork();
		}
	}
}
