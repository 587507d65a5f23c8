import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { createCa } from "../../test/support/certificates.js";
import { dialRecorded, listen } from "../../test/support/connection-recorder.js";
import { eventually } from "../../test/support/eventually.js";
import { MqttConnectionError } from "../errors.js";
import type { TlsSettings } from "./connection.js";
import { SOCKET_BUFFER_BYTES } from "./open-socket.js";

const mebibyte = 1024 * 1024;
const servers: Server[] = [];
const sockets = new Set<Socket>();
let tls: TlsSettings;
let key: { cert: string; key: string };

beforeAll(async () => {
	const ca = await createCa();
	key = await ca.issue({ ipAddresses: ["127.0.0.1"] });
	tls = { ca: ca.cert, insecureSkipVerify: false };
});

afterEach(() => {
	for (const socket of sockets) socket.destroy();
	for (const server of servers.splice(0)) server.close();
	sockets.clear();
});

/** A peer for one connection, which allows a half-open one and reads nothing unless told to. */
async function connectPair(transport: "tcp" | "tls" = "tcp") {
	const options = { allowHalfOpen: true, pauseOnConnect: transport === "tcp" };
	const server = transport === "tcp" ? createServer(options) : createTlsServer({ ...options, ...key });
	servers.push(server);
	server.on("connection", (socket: Socket) => sockets.add(socket));
	const accepted = new Promise<Socket>((resolve) =>
		server.once(transport === "tcp" ? "connection" : "secureConnection", resolve),
	);
	const port = await listen(server);
	const dialed = dialRecorded(`${transport}://127.0.0.1:${port}`, transport === "tls" ? { tls } : {});
	const peer = await accepted;
	peer.on("error", () => {});
	return { ...(await dialed), peer };
}

function cause(): MqttConnectionError {
	return new MqttConnectionError("the test ends it", { url: "tcp://test", reason: "dead" });
}

/** Reads all that comes until FIN. */
async function readAll(peer: Socket): Promise<Buffer> {
	const chunks: Buffer[] = [];
	peer.on("data", (chunk: Buffer) => chunks.push(chunk));
	peer.resume();
	await new Promise((resolve, reject) => peer.once("end", resolve).once("close", () => reject(new Error("no FIN"))));
	return Buffer.concat(chunks);
}

/** Waits until a number has stopped changing, and gives it. */
async function settled(read: () => number): Promise<number> {
	let last = Number.NaN;
	return eventually(
		() => {
			const before = last;
			last = read();
			expect(last).toBe(before);
			return last;
		},
		{ everyMs: 50 },
	);
}

describe.each(["tcp", "tls"] as const)("over %s", (transport) => {
	test("[MQTT-7.1.2-1] bytes arrive complete and in order in both directions", async () => {
		const { connection, recorder, peer } = await connectPair(transport);
		const sent = Buffer.allocUnsafe(5 * mebibyte);
		for (let index = 0; index < sent.length; index++) sent[index] = index * 31 + (index >> 8);
		peer.pipe(peer);
		for (let at = 0, size = 1; at < sent.length; at += size, size = size * 3 + 1) {
			connection.write(sent.subarray(at, at + size));
		}
		await eventually(() => recorder.chunks.reduce((sum, { length }) => sum + length, 0) === sent.length);
		expect(Buffer.concat(recorder.chunks).equals(sent)).toBe(true);
		expect(connection.bytesWaiting).toBe(0);
		connection.destroy(cause());
		await recorder.cause();
	});

	test("the peer's FIN closes the connection at once, also while the socket is full", async () => {
		const { connection, recorder, peer } = await connectPair(transport);
		while (connection.write(Buffer.alloc(mebibyte)));
		peer.end("bye");
		expect(await recorder.cause()).toMatchObject({
			reason: "closed",
			message: expect.stringMatching(/lost: the broker closed it/),
		});
		expect(recorder.text).toBe("bye");
		expect(connection.write(Buffer.from("x"))).toBe(false);
		expect(recorder.afterClosed).toEqual([]);
	});

	test("a full socket says so, counts what waits, and tells when it takes more", async () => {
		const { connection, recorder, peer } = await connectPair(transport);
		peer.pause();
		const large = Buffer.alloc(32 * mebibyte);
		expect(connection.write(large)).toBe(false);
		expect(connection.isFull).toBe(true);
		expect(connection.bytesWaiting).toBeGreaterThan(0);
		expect(connection.bytesWaiting).toBeLessThanOrEqual(large.length);
		expect(connection.write(Buffer.from("more"))).toBe(false);
		expect(recorder.drains).toBe(0);

		// So that what the system takes for itself is over before the peer begins to read.
		const waiting = await settled(() => connection.bytesWaiting);
		expect(waiting).toBeGreaterThan(0);
		const read = readAll(peer);
		await eventually(() => recorder.drains === 1);
		expect(connection.isFull).toBe(false);
		expect(recorder.signsOfLife).toBeGreaterThan(0);
		const ended = connection.end(5_000);
		const received = await read;
		expect(received.length).toBe(large.length + 4);
		expect(received.subarray(-4).toString()).toBe("more");
		peer.end();
		await ended;
		expect(recorder.drains).toBe(1);
	});

	test("a large write that leaves in pieces shows a sign of life for each of them", async () => {
		const { connection, recorder, peer } = await connectPair(transport);
		peer.pause();
		connection.write(Buffer.alloc(32 * mebibyte));
		const before = connection.bytesWaiting;
		await eventually(() => {
			const left = connection.bytesWaiting;
			peer.read();
			expect(recorder.signsOfLife).toBeGreaterThan(2);
			expect(left).toBeLessThan(before);
		});
		expect(recorder.drains).toBe(0);
		connection.destroy(cause());
		await recorder.cause();
	});

	test("what the system takes for a peer that reads nothing is no sign of life", async () => {
		const { connection, recorder, peer } = await connectPair(transport);
		peer.pause();
		for (let count = 0; count < 4; count++) {
			connection.write(Buffer.alloc(SOCKET_BUFFER_BYTES));
			await new Promise((resolve) => setImmediate(resolve));
		}
		await eventually(() => !connection.isFull);
		expect(connection.bytesWaiting).toBe(0);
		expect(recorder.signsOfLife).toBe(0);
		connection.destroy(cause());
		await recorder.cause();
	});

	test("end() sends what was written, reads on until the peer's FIN and hands nothing more on", async () => {
		const { connection, recorder, peer } = await connectPair(transport);
		peer.pause();
		connection.pause();
		peer.write(Buffer.alloc(mebibyte));
		connection.write(Buffer.alloc(8 * mebibyte));
		connection.write(Buffer.from("the last acknowledgement"));
		let isEnded = false;
		const ended = connection.end(5_000).then(() => {
			isEnded = true;
		});
		expect(connection.write(Buffer.from("too late"))).toBe(false);
		const read = readAll(peer);
		expect((await read).subarray(-24).toString()).toBe("the last acknowledgement");
		expect(isEnded).toBe(false);
		peer.end(Buffer.alloc(mebibyte));
		await ended;
		expect(recorder.chunks).toEqual([]);
		expect(recorder.causes.map(({ reason }) => reason)).toEqual(["local"]);
		expect(recorder.afterClosed).toEqual([]);
	});

	test("end() waits for the peer's FIN no longer than it is told", async () => {
		const { connection, recorder } = await connectPair(transport);
		const startedAt = performance.now();
		await connection.end(60);
		expect(performance.now() - startedAt).toBeGreaterThanOrEqual(55);
		expect(recorder.causes.map(({ reason }) => reason)).toEqual(["local"]);
		await connection.end(60);
	});

	test("pause() stops the bytes, resume() brings them all", async () => {
		const { connection, recorder, peer } = await connectPair(transport);
		connection.pause();
		connection.pause();
		peer.write(Buffer.alloc(20 * mebibyte));
		await eventually(() => peer.writableNeedDrain);
		for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
		expect(recorder.chunks).toEqual([]);
		connection.resume();
		connection.resume();
		await eventually(() => recorder.chunks.reduce((sum, { length }) => sum + length, 0) === 20 * mebibyte);
		connection.destroy(cause());
		await recorder.cause();
	});
});

test("bytes left unread do not turn an orderly end into a reset", async () => {
	const { connection, peer } = await connectPair();
	let wasReset = false;
	peer.on("error", () => {
		wasReset = true;
	});
	connection.pause();
	peer.write(Buffer.alloc(10 * mebibyte));
	await eventually(() => peer.writableNeedDrain);
	connection.write(Buffer.from("PUBACK"));
	const ended = connection.end(5_000);
	expect((await readAll(peer)).toString()).toBe("PUBACK");
	peer.end();
	await ended;
	expect(wasReset).toBe(false);
});

test("a reset by the peer is told from an orderly end", async () => {
	const { recorder, peer } = await connectPair();
	peer.resetAndDestroy();
	expect(await recorder.cause()).toMatchObject({
		reason: "reset",
		message: expect.stringMatching(/the broker reset it/),
	});
	expect(recorder.causes).toHaveLength(1);
});

test("destroy() ends at once with the cause it was given, and tells it later, once", async () => {
	const { connection, recorder, peer } = await connectPair();
	const first = cause();
	peer.write("on its way");
	connection.destroy(first);
	connection.destroy(cause());
	expect(recorder.causes).toEqual([]);
	expect(connection.write(Buffer.from("x"))).toBe(false);
	await connection.end(1_000);
	expect(recorder.causes).toEqual([first]);
	expect(recorder.chunks).toEqual([]);
	expect(recorder.afterClosed).toEqual([]);
});

test("end() after the end resolves", async () => {
	const { connection, recorder } = await connectPair();
	connection.destroy(cause());
	await recorder.cause();
	await connection.end(60_000);
	expect(recorder.afterClosed).toEqual([]);
});

test("destroy() cuts an end() short", async () => {
	const { connection, recorder } = await connectPair();
	const ended = connection.end(60_000);
	connection.destroy(cause());
	await ended;
	expect(recorder.causes.map(({ reason }) => reason)).toEqual(["local"]);
});

test("a write into a connection that the peer has reset does not throw and is answered by closed()", async () => {
	const { connection, recorder, peer } = await connectPair();
	peer.resetAndDestroy();
	for (let count = 0; count < 100; count++) connection.write(Buffer.alloc(1_000));
	expect((await recorder.cause()).reason).toBe("reset");
});

test("chunks are handed on as the system gave them, without a copy in between", async () => {
	const { connection, recorder, peer } = await connectPair();
	peer.write("abc");
	await eventually(() => expect(recorder.text).toBe("abc"));
	expect(recorder.chunks).toHaveLength(1);
	connection.destroy(cause());
	await recorder.cause();
});
