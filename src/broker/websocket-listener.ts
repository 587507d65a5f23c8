import { createServer, type IncomingMessage, type Server } from "node:http";
import type { Duplex } from "node:stream";

const MAX_FRAME = 5 * 1024 * 1024;
const SUBPROTOCOL = "mqtt";

/**
 * Makes an HTTP server, not yet listening, that upgrades to MQTT over WebSocket and answers 426 to all else.
 * Loads `ws`. A browser's page is let in only when it comes from this machine, as any page can reach a loopback port.
 */
export async function createWebSocketListener(
	upgradeTimeoutMs: number,
	onConnection: (connection: Duplex) => void,
): Promise<Server> {
	const { createWebSocketStream, WebSocketServer } = await import("ws");
	// [MQTT-6.0.0-4]: `mqtt` is the one name we agree to.
	const sockets = new WebSocketServer({
		noServer: true,
		maxPayload: MAX_FRAME,
		handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
	});
	const server = createServer(
		{
			headersTimeout: upgradeTimeoutMs,
			requestTimeout: upgradeTimeoutMs,
			connectionsCheckingInterval: 1_000,
			maxHeaderSize: 8 * 1024,
		},
		(_request, response) => {
			response.writeHead(426, { connection: "close", upgrade: "websocket" }).end("MQTT over WebSocket only\n");
		},
	);
	server.on("upgrade", (request, socket, head) => {
		if (!offersMqtt(request) || !isLocalOrigin(request.headers.origin)) {
			// Nobody else listens any more: a reset would end the process.
			socket.on("error", () => {});
			socket.end("HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
			return;
		}
		sockets.handleUpgrade(request, socket, head, (webSocket) => {
			// [MQTT-6.0.0-1]: a frame that is not binary ends the connection.
			webSocket.on("message", (_data, isBinary) => {
				if (!isBinary) webSocket.terminate();
			});
			onConnection(createWebSocketStream(webSocket));
		});
	});
	return server;
}

/** [MQTT-6.0.0-3]: a client names the subprotocol; without it this is no MQTT client. */
function offersMqtt(request: IncomingMessage): boolean {
	const offered = request.headers["sec-websocket-protocol"] ?? "";
	return offered.split(",").some((name) => name.trim() === SUBPROTOCOL);
}

function isLocalOrigin(origin: string | undefined): boolean {
	if (origin === undefined) return true;
	return URL.canParse(origin) && ["localhost", "127.0.0.1", "[::1]"].includes(new URL(origin).hostname);
}
