import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { listen } from "../../support/connection-recorder.js";
import { eventually } from "../../support/eventually.js";
import { ClientUnderTest, startScene } from "./client-under-test.js";

const LARGE = { maxPayloadSize: 10_000 };

describe("F-52: a message larger than maxPayloadSize", () => {
	test("comes with topic, identifier and size but no payload; what follows comes whole, on the same connection", async () => {
		await using scene = await startScene(LARGE);
		const connection = await scene.subscribed();
		connection.publish("a/large", Buffer.alloc(1_000_000), { qos: 1, messageId: 1 });
		connection.publish("a/fits", Buffer.alloc(10_000, 1), { qos: 1, messageId: 2 });
		const fits = await scene.it.delivered(2);
		expect(scene.it.deliveries[0]!.packet).toMatchObject({
			topic: "a/large",
			packetId: 1,
			payloadSize: 1_000_000,
			skipped: true,
			payload: Buffer.alloc(0),
		});
		expect(fits.packet).toMatchObject({ skipped: false, payload: Buffer.alloc(10_000, 1) });
		expect(scene.it.client.status().buffered).toBeLessThan(12_000);
		scene.it.deliveries[0]!.passOver();
		fits.ack();
		await connection.expect("puback", ({ messageId }) => messageId === 2);
		await connection.nothing(20);
		scene.it.deliveries[0]!.ack();
		await connection.expect("puback", ({ messageId }) => messageId === 1);
	});

	test("in comparisons its size stands for its payload: a copy is a copy, and a redelivery takes it over", async () => {
		await using scene = await startScene(LARGE);
		const first = await scene.subscribed();
		for (const dup of [false, true]) first.publish("a/b", Buffer.alloc(20_000), { qos: 1, messageId: 1, dup });
		await eventually(() => expect(scene.it.client.counters.copies).toBe(1));
		first.close();
		const second = await scene.subscribed({ sessionPresent: true });
		second.publish("a/b", Buffer.alloc(20_000), { qos: 1, messageId: 1, dup: true });
		await eventually(() => expect(scene.it.adopted).toEqual(scene.it.deliveries));
		second.publish("a/b", Buffer.alloc(20_001), { qos: 1, messageId: 1, dup: true });
		await scene.it.delivered(2);
	});
});

/** A broker of 20 lines: takes whatever comes as CONNECT, then writes what it is given as fast as it is read. */
async function startRawBroker(packets: () => Iterable<Buffer>) {
	const sockets: Socket[] = [];
	let isWritten = false;
	const server = createServer(async (socket) => {
		sockets.push(socket);
		socket.on("error", () => {});
		await once(socket, "data");
		socket.write(Buffer.of(0x20, 2, 0, 0));
		for (const packet of packets()) if (!socket.write(packet)) await once(socket, "drain");
		isWritten = true;
	});
	const port = await listen(server);
	return {
		url: `mqtt://127.0.0.1:${port}`,
		get isWritten() {
			return isWritten;
		},
		async [Symbol.asyncDispose]() {
			for (const socket of sockets) socket.destroy();
			await new Promise((resolve) => server.close(resolve));
		},
	};
}

test("F-51: the largest message there is, 256 MB, is read piece by piece and costs no memory", async () => {
	const piece = Buffer.alloc(65_536);
	await using broker = await startRawBroker(function* () {
		// Remaining Length 268,435,455: topic a/b, identifier 1, and the rest is payload.
		yield Buffer.of(0x32, 0xff, 0xff, 0xff, 0x7f, 0, 3, 0x61, 0x2f, 0x62, 0, 1);
		let left = 268_435_455 - 7;
		for (; left > piece.length; left -= piece.length) yield piece;
		yield piece.subarray(0, left);
		yield Buffer.of(0x32, 8, 0, 3, 0x61, 0x2f, 0x62, 0, 2, 0x21);
	});
	await using it = new ClientUnderTest(broker.url);
	let most = 0;
	setFlagsFromString("--expose-gc");
	const collect: () => void = runInNewContext("gc");
	const before = process.memoryUsage().arrayBuffers;
	const watch = setInterval(() => {
		// What is garbage already is none of ours; when the engine sees to it differs.
		collect();
		most = Math.max(most, process.memoryUsage().arrayBuffers - before);
	}, 10);
	await it.client.connect();
	await eventually(() => expect(it.deliveries).toHaveLength(2), { timeoutMs: 20_000 });
	clearInterval(watch);
	expect(it.deliveries.map(({ packet }) => [packet.packetId, packet.payloadSize, packet.skipped])).toEqual([
		[1, 268_435_448, true],
		[2, 1, false],
	]);
	expect(broker.isWritten).toBe(true);
	// What the sockets of both sides hold.
	expect(most).toBeLessThan(16 * 1024 * 1024);
	expect(it.client.status().buffered).toBeLessThan(1_000);
});
