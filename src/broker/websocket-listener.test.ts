import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { expect, test } from "vitest";
import { createWebSocketListener } from "./websocket-listener.js";

test("a refused peer that resets its connection ends nothing", async () => {
	const server = await createWebSocketListener(1_000, () => expect.unreachable());
	const socket = new Socket();
	server.emit("upgrade", new IncomingMessage(socket), socket, Buffer.alloc(0));
	await new Promise<void>((resolve) => socket.once("close", () => resolve()).destroy(new Error("ECONNRESET")));
});
