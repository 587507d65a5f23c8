import { createHash } from "node:crypto";
import { createServer as createHttpServer, type Server as HttpServer, type IncomingMessage } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { createServer as createTcpServer, type Server, type Socket } from "node:net";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { type RawData, type WebSocket, WebSocketServer } from "ws";
import { createCa, type KeyPairPem } from "../../test/support/certificates.js";
import { dialError, dialRecorded, listen } from "../../test/support/connection-recorder.js";
import { eventually } from "../../test/support/eventually.js";
import { MqttConnectionError } from "../errors.js";
import type { TlsSettings } from "./connection.js";

const mebibyte = 1024 * 1024;
const servers: Server[] = [];
const sockets = new Set<Socket>();
let key: KeyPairPem;
let tls: TlsSettings;

beforeAll(async () => {
	const ca = await createCa();
	key = await ca.issue({ dnsNames: ["localhost"] });
	tls = { ca: ca.cert, insecureSkipVerify: false };
});

afterEach(() => {
	for (const socket of sockets) socket.destroy();
	for (const server of servers.splice(0)) server.close();
	sockets.clear();
});

async function serve(server: Server): Promise<number> {
	servers.push(server);
	server.on("connection", (socket) => sockets.add(socket));
	return listen(server);
}

/** A WebSocket server that agrees to the subprotocol; for another answer give `agree`. */
async function startServer(
	server: HttpServer = createHttpServer(),
	agree: (offered: Set<string>) => string | false = (offered) => (offered.has("mqtt") ? "mqtt" : false),
) {
	const webSockets = new WebSocketServer({ server, handleProtocols: agree, perMessageDeflate: true });
	const accepted = new Promise<{ peer: WebSocket; request: IncomingMessage }>((resolve) =>
		webSockets.once("connection", (peer, request) => {
			peer.on("error", () => {});
			resolve({ peer, request });
		}),
	);
	return { port: await serve(server), accepted };
}

async function connectPair(path = "/mqtt") {
	const { port, accepted } = await startServer();
	const dialed = await dialRecorded(`ws://127.0.0.1:${port}${path}`);
	return { ...dialed, ...(await accepted) };
}

function received(peer: WebSocket): { readonly frames: { readonly data: Buffer; readonly isBinary: boolean }[] } {
	const frames: { data: Buffer; isBinary: boolean }[] = [];
	peer.on("message", (data: RawData, isBinary) => frames.push({ data: data as Buffer, isBinary }));
	return { frames };
}

function cause(): MqttConnectionError {
	return new MqttConnectionError("the test ends it", { url: "ws://test", reason: "dead" });
}

test("[MQTT-6.0.0-3] the subprotocol mqtt is offered, with path and query as written and without user name and password", async () => {
	const { port, accepted } = await startServer();
	const { connection } = await dialRecorded(`ws://user:canary@127.0.0.1:${port}/a/b?x=1&y=%40`);
	const { request } = await accepted;
	expect(request.url).toBe("/a/b?x=1&y=%40");
	expect(request.headers["sec-websocket-protocol"]).toBe("mqtt");
	expect(request.headers["sec-websocket-extensions"]).toBeUndefined();
	expect(request.headers.host).toBe(`127.0.0.1:${port}`);
	expect(JSON.stringify(request.rawHeaders)).not.toContain("canary");
	await connection.end(1_000);
});

test.each([
	["none", () => false as const],
	["another", () => "mqttv3.1"],
])("[MQTT-6.0.0-3] a server that agrees to %s is no MQTT broker", async (_, agree) => {
	const server = createHttpServer();
	server.on("upgrade", (request, socket) => {
		const accept = createHash("sha1")
			.update(`${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
			.digest("base64");
		const protocol = agree();
		socket.write(
			`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n${protocol ? `Sec-WebSocket-Protocol: ${protocol}\r\n` : ""}\r\n`,
		);
	});
	const port = await serve(server);
	expect(await dialError(`ws://127.0.0.1:${port}`)).toMatchObject({
		reason: "protocol",
		message: expect.stringMatching(/did not agree to the WebSocket subprotocol "mqtt" \[MQTT-6\.0\.0-3\]/),
	});
});

test("[MQTT-6.0.0-1] what we write leaves in binary frames", async () => {
	const { connection, peer } = await connectPair();
	const { frames } = received(peer);
	connection.write(Buffer.from([0xc0, 0]));
	connection.write(Buffer.from("text"));
	await eventually(() => expect(frames).toHaveLength(2));
	expect(frames.every(({ isBinary }) => isBinary)).toBe(true);
	expect(Buffer.concat(frames.map(({ data }) => data))).toEqual(Buffer.from("\xc0\0text", "latin1"));
	await connection.end(1_000);
});

test("[MQTT-6.0.0-1] a text frame closes the connection, and what follows it is not handed on", async () => {
	const { recorder, peer } = await connectPair();
	peer.send(Buffer.from("binary"));
	peer.send("text");
	peer.send(Buffer.from("more"));
	expect(await recorder.cause()).toMatchObject({
		reason: "protocol",
		message: expect.stringMatching(/text frame \[MQTT-6\.0\.0-1\]/),
	});
	expect(recorder.text).toBe("binary");
	expect(recorder.afterClosed).toEqual([]);
});

test("[MQTT-6.0.0-2] packets may be split over frames and share one", async () => {
	const { connection, recorder, peer } = await connectPair();
	const bytes = Buffer.from("two packets and a half");
	for (const byte of bytes.subarray(0, 9)) peer.send(Buffer.from([byte]));
	peer.send(Buffer.alloc(0));
	peer.send(bytes.subarray(9, 12), { fin: false });
	peer.send(bytes.subarray(12, 14), { fin: true });
	peer.send(bytes.subarray(14));
	await eventually(() => expect(recorder.text).toBe(bytes.toString()));
	await connection.end(1_000);
});

test("[MQTT-7.1.2-1] megabytes arrive complete and in order in both directions, and a full socket says so", async () => {
	const { connection, recorder, peer } = await connectPair();
	const sent = Buffer.allocUnsafe(32 * mebibyte);
	for (let index = 0; index < sent.length; index++) sent[index] = index * 31 + (index >> 8);
	const before = Buffer.from(sent);
	peer.pause();
	expect(connection.write(sent)).toBe(false);
	expect(connection.isFull).toBe(true);
	expect(connection.bytesWaiting).toBeGreaterThan(0);
	peer.on("message", (data: Buffer) => peer.send(data));
	peer.resume();
	await eventually(() => recorder.chunks.reduce((sum, { length }) => sum + length, 0) === sent.length, {
		timeoutMs: 20_000,
	});
	expect(Buffer.concat(recorder.chunks).equals(before)).toBe(true);
	// Masking must not happen in the owner's buffer.
	expect(sent.equals(before)).toBe(true);
	expect(recorder.drains).toBe(1);
	expect(connection.bytesWaiting).toBe(0);
	await connection.end(1_000);
}, 30_000);

test("pause() stops the bytes, resume() brings them all", async () => {
	const { connection, recorder, peer } = await connectPair();
	connection.pause();
	for (let count = 0; count < 20; count++) peer.send(Buffer.alloc(mebibyte));
	await eventually(() => peer.bufferedAmount > 0);
	for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
	expect(recorder.chunks).toEqual([]);
	connection.resume();
	await eventually(() => recorder.chunks.reduce((sum, { length }) => sum + length, 0) === 20 * mebibyte);
	connection.destroy(cause());
	expect((await recorder.cause()).reason).toBe("dead");
});

test("end() sends what was written and a close frame, discards what comes, and waits for the broker to close", async () => {
	const { connection, recorder, peer } = await connectPair();
	const { frames } = received(peer);
	const closed = new Promise((resolve) => peer.once("close", resolve));
	connection.pause();
	peer.send(Buffer.alloc(mebibyte));
	connection.write(Buffer.alloc(4 * mebibyte));
	connection.write(Buffer.from("last"));
	await connection.end(5_000);
	expect(await closed).toBe(1000);
	expect(frames.reduce((sum, { data }) => sum + data.length, 0)).toBe(4 * mebibyte + 4);
	expect(recorder.chunks).toEqual([]);
	expect(recorder.causes.map(({ reason }) => reason)).toEqual(["local"]);
	expect(recorder.afterClosed).toEqual([]);
});

test("end() waits for the broker no longer than it is told", async () => {
	const { connection, recorder, peer } = await connectPair();
	peer.pause();
	await connection.end(50);
	expect(recorder.causes.map(({ reason }) => reason)).toEqual(["local"]);
});

describe("the broker ends the connection", () => {
	test("with a close frame: its code and words are told", async () => {
		const { recorder, peer } = await connectPair();
		peer.close(1008, "not\nwelcome");
		expect(await recorder.cause()).toMatchObject({
			reason: "closed",
			message: expect.stringMatching(/lost: the broker closed the WebSocket with code 1008 "not\\nwelcome"$/),
		});
	});

	test("with a close frame and then does nothing: closed within a second or so", async () => {
		const { connection, recorder, peer } = await connectPair();
		const [socket] = sockets;
		peer.pause();
		socket!.write(Buffer.from([0x88, 0]));
		expect((await recorder.cause()).reason).toBe("closed");
		expect(connection.write(Buffer.from("x"))).toBe(false);
	});

	test("with FIN alone", async () => {
		const { recorder } = await connectPair();
		const [socket] = sockets;
		socket!.end();
		expect(await recorder.cause()).toMatchObject({
			reason: "closed",
			message: expect.stringMatching(/lost: the broker closed it/),
		});
	});

	test("with a reset", async () => {
		const { recorder } = await connectPair();
		const [socket] = sockets;
		socket!.resetAndDestroy();
		expect((await recorder.cause()).reason).toBe("reset");
		expect(recorder.causes).toHaveLength(1);
	});

	test("with a frame that is none", async () => {
		const { recorder } = await connectPair();
		const [socket] = sockets;
		socket!.write(Buffer.from([0xff, 0xff]));
		expect(await recorder.cause()).toMatchObject({
			reason: "protocol",
			message: expect.stringMatching(/broke the WebSocket protocol/),
		});
	});
});

describe("a server that is no broker at that path is named as such:", () => {
	test("an HTTP status", async () => {
		const port = await serve(createHttpServer((_, response) => response.writeHead(404).end("no such page")));
		expect(await dialError(`ws://127.0.0.1:${port}/wrong?token=canary`)).toMatchObject({
			reason: "protocol",
			message: `cannot connect to ws://127.0.0.1:${port}/wrong: the broker answered the WebSocket upgrade with HTTP status 404; is the path right?`,
		});
	});

	test("plain MQTT", async () => {
		const port = await serve(createTcpServer((socket) => socket.on("error", () => {}).end("\x20\x02\x00\x00")));
		expect(await dialError(`ws://127.0.0.1:${port}`)).toMatchObject({
			reason: "protocol",
			message: expect.stringMatching(/no WebSocket on this port/),
		});
	});

	test("a peer that hangs up", async () => {
		const port = await serve(
			createTcpServer((socket) => socket.on("error", () => {}).once("data", () => socket.end())),
		);
		expect(await dialError(`ws://127.0.0.1:${port}`)).toMatchObject({
			reason: "closed",
			message: expect.stringMatching(/instead of the WebSocket upgrade/),
		});
	});

	test("a wrong Sec-WebSocket-Accept", async () => {
		const server = createHttpServer();
		server.on("upgrade", (_, socket) =>
			socket.write(
				"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n",
			),
		);
		const port = await serve(server);
		expect(await dialError(`ws://127.0.0.1:${port}`)).toMatchObject({
			reason: "protocol",
			message: expect.stringMatching(/upgrade failed/),
		});
	});

	test("a peer that stays silent: the time limit covers the upgrade", async () => {
		const port = await serve(createTcpServer(() => {}));
		expect(await dialError(`ws://127.0.0.1:${port}`, { timeoutMs: 60 })).toMatchObject({
			reason: "timeout",
			message: expect.stringMatching(/no answer within 60 ms \(WebSocket upgrade\)/),
		});
	});

	test("a caller that gives up in the upgrade", async () => {
		const controller = new AbortController();
		const port = await serve(createTcpServer(() => controller.abort()));
		expect((await dialError(`ws://127.0.0.1:${port}`, {}, controller.signal)).reason).toBe("local");
	});
});

describe("over TLS", () => {
	test("the connection stands and carries bytes", async () => {
		const { port, accepted } = await startServer(createHttpsServer({ ...key }));
		const { connection, recorder } = await dialRecorded(`wss://localhost:${port}/mqtt`, { tls });
		const { peer, request } = await accepted;
		expect(request.headers.host).toBe(`localhost:${port}`);
		peer.send(Buffer.from("hello"));
		await eventually(() => expect(recorder.text).toBe("hello"));
		await connection.end(1_000);
	});

	test("the certificate is checked before anything is sent", async () => {
		const { port } = await startServer(createHttpsServer({ ...key }));
		expect(await dialError(`wss://localhost:${port}/mqtt`)).toMatchObject({
			reason: "tls",
			message: expect.stringMatching(/not trusted here/),
		});
		expect((await dialError(`wss://127.0.0.1:${port}/mqtt`, { tls })).message).toMatch(/another host/);
	});
});

test("a broker that speaks first is heard only after dial has resolved", async () => {
	const server = createHttpServer();
	const webSockets = new WebSocketServer({ server, handleProtocols: () => "mqtt" });
	webSockets.on("connection", (peer) => peer.send(Buffer.from("too early")));
	const { connection, recorder } = await dialRecorded(`ws://127.0.0.1:${await serve(server)}`).then((dialed) => {
		expect(dialed.recorder.chunks).toEqual([]);
		return dialed;
	});
	await eventually(() => expect(recorder.text).toBe("too early"));
	await connection.end(1_000);
});
