import type { MqttConnectionError } from "../errors.js";
import type { BrokerUrl } from "./broker-url.js";
import { DialAttempt } from "./dial-attempt.js";
import { openSocket } from "./open-socket.js";
import { SocketConnection } from "./socket-connection.js";

/** TLS material and checks, as Node's `tls.connect` takes them. */
export interface TlsSettings {
	/** PEM; replaces the system's roots. */
	readonly ca?: string | undefined;
	/** PEM; together with `key`. */
	readonly cert?: string | undefined;
	readonly key?: string | undefined;
	readonly passphrase?: string | undefined;
	/** SNI and the name that the certificate must carry; default the URL's host. */
	readonly serverName?: string | undefined;
	readonly alpn?: readonly string[] | undefined;
	/** True: any certificate will do. */
	readonly insecureSkipVerify: boolean;
}

/** What a connection tells its owner. All are called from the event loop, never from inside a call of the owner's. */
export interface ConnectionListener {
	/** Bytes from the broker, in order. After pause() a chunk that was read before may still come. */
	data(chunk: Buffer): void;
	/** After write() returned false: the socket takes more. */
	drain(): void;
	/** The socket, having been full, took bytes of ours, maybe not yet all: the peer lives. */
	progress?(): void;
	/** The connection is gone, once, whoever ended it; nothing is called after it. */
	closed(cause: MqttConnectionError): void;
}

/** One Network Connection: an ordered, lossless stream of bytes [MQTT-7.1.2-1]. */
export interface Connection {
	/** Hands bytes to the socket, which keeps the buffer until it is sent. False: the socket is full, wait for drain(). No-op when closed. */
	write(bytes: Buffer): boolean;
	/** Bytes given to write() that the system has not taken yet. */
	readonly bytesWaiting: number;
	/** True after write() returned false, until drain(), and from its end on: what is not written yet had better not be. */
	readonly isFull: boolean;
	/** Stop and go on reading from the socket. Idempotent. */
	pause(): void;
	resume(): void;
	/** Orderly end: half-close after what was written, read and discard until the peer's FIN or `timeoutMs`, close. Resolves when closed. */
	end(timeoutMs: number): Promise<void>;
	/** Ends at once; closed() is told `cause`. Idempotent. */
	destroy(cause: MqttConnectionError): void;
}

export interface ConnectionOptions {
	/** Present exactly for `tls` and `wss`. */
	readonly tls?: TlsSettings | undefined;
	/** Covers name lookup, TCP, TLS and the WebSocket upgrade. */
	readonly timeoutMs: number;
}

/** Opens a Network Connection. Rejects with MqttConnectionError. Tests pass their own. */
export type Dial = (
	url: BrokerUrl,
	options: ConnectionOptions,
	listener: ConnectionListener,
	signal: AbortSignal,
) => Promise<Connection>;

/** Dials a broker over TCP, TLS or WebSocket, whichever its URL asks for. Calls nothing of the listener before it has resolved. */
export const dial: Dial = async (url, options, listener, signal) => {
	const attempt = new DialAttempt(url, options.timeoutMs, signal);
	try {
		if (url.transport === "tcp" || url.transport === "tls") {
			return new SocketConnection(url, await openSocket(url, options.tls, attempt), listener);
		}
		// Loaded before the socket opens, so that nothing the socket says is missed meanwhile.
		const { openWebSocket, WebSocketConnection } = await import("./web-socket-connection.js");
		const socket = await openSocket(url, options.tls, attempt);
		return new WebSocketConnection(url, socket, await openWebSocket(url, socket, attempt), listener);
	} finally {
		attempt.finish();
	}
};
