import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import { MqttConnectionError } from "../errors.js";
import type { BrokerUrl } from "./broker-url.js";
import type { ConnectionListener } from "./connection.js";
import { connectionError } from "./connection-error.js";
import type { DialAttempt } from "./dial-attempt.js";
import { StreamConnection } from "./stream-connection.js";

const SUBPROTOCOL = "mqtt";

/** The largest MQTT packet; brokers send a packet in one frame. */
const MAX_FRAME_BYTES = 268_435_460;

/** After the broker's close frame: how long it has to close the socket. */
const CLOSE_TIMEOUT_MS = 1_000;

/** Upgrades an open socket to the WebSocket protocol, with path and query of the URL. Resolves paused. */
export async function openWebSocket(url: BrokerUrl, socket: Socket, attempt: DialAttempt): Promise<WebSocket> {
	const { WebSocket } = await import("ws");
	attempt.step = "WebSocket upgrade";
	return new Promise((resolve, reject) => {
		// Apart from the call, as the types of `ws` do not know closeTimeout.
		const options = {
			createConnection: () => socket,
			perMessageDeflate: false,
			maxPayload: MAX_FRAME_BYTES,
			closeTimeout: CLOSE_TIMEOUT_MS,
		};
		const webSocket = new WebSocket(address(url), [SUBPROTOCOL], options);
		let refusal: MqttConnectionError | undefined;
		const refuse = (text: string) => {
			refusal = new MqttConnectionError(`cannot connect to ${url.href}: ${text}`, {
				url: url.href,
				reason: "protocol",
			});
		};
		webSocket.on("upgrade", ({ headers }) => {
			if (headers["sec-websocket-protocol"] === SUBPROTOCOL) return;
			refuse(`the broker did not agree to the WebSocket subprotocol "${SUBPROTOCOL}" [MQTT-6.0.0-3]`);
		});
		webSocket.on("unexpected-response", (_, { statusCode }) => {
			refuse(`the broker answered the WebSocket upgrade with HTTP status ${statusCode}; is the path right?`);
			socket.destroy(refusal);
		});
		webSocket.on("error", (error) => {
			socket.destroy();
			reject(attempt.signal.reason ?? refusal ?? connectionError(url, error, "WebSocket upgrade"));
		});
		webSocket.once("open", () => {
			webSocket.pause();
			resolve(webSocket);
		});
	});
}

/** MQTT's bytes in WebSocket frames: binary ones only [MQTT-6.0.0-1], whose limits need not be those of packets [MQTT-6.0.0-2]. */
export class WebSocketConnection extends StreamConnection {
	readonly #webSocket: WebSocket;

	constructor(url: BrokerUrl, socket: Socket, webSocket: WebSocket, listener: ConnectionListener) {
		super(url, socket, listener);
		this.#webSocket = webSocket;
		webSocket.on("message", (data: Buffer, isBinary) => {
			if (isBinary) this.received(data);
			else this.#refuseText(url);
		});
		webSocket.on("error", (error) => this.failed(error));
		webSocket.on("close", (code, reason) => this.gone(closeText(code, reason)));
		webSocket.resume();
	}

	protected send(bytes: Buffer): void {
		this.#webSocket.send(bytes);
	}

	protected pauseReading(): void {
		this.#webSocket.pause();
	}

	protected resumeReading(): void {
		this.#webSocket.resume();
	}

	protected finish(): void {
		this.#webSocket.close(1000);
	}

	#refuseText({ href }: BrokerUrl): void {
		const message = `connection to ${href} closed: the broker sent a WebSocket text frame [MQTT-6.0.0-1]`;
		this.destroy(new MqttConnectionError(message, { url: href, reason: "protocol" }));
	}
}

function address({ transport, host, port, path }: BrokerUrl): string {
	// An IPv6 zone is for this machine alone; a Host header has none.
	const authority = host.includes(":") ? `[${host.replace(/%.*$/, "")}]` : host;
	return `${transport}://${authority}:${port}${path}`;
}

function closeText(code: number, reason: Buffer): string | undefined {
	// 1005 and 1006 stand for a close frame without a code and for none at all.
	if (code === 1005 || code === 1006) return undefined;
	return `the broker closed the WebSocket with code ${code}${reason.length > 0 ? ` ${JSON.stringify(reason.toString())}` : ""}`;
}
