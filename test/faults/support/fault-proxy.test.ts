import { connect, createServer, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { listen } from "../../support/connection-recorder.js";
import { eventually } from "../../support/eventually.js";
import { describeWith } from "../../support/left-out.js";
import { startMosquitto } from "../../support/mosquitto.js";
import { connectDevice } from "../../support/mqtt-device.js";
import { packet, str, u16 } from "../../support/wire.js";
import { startFaultProxy } from "./fault-proxy.js";
import { WireReader } from "./wire-packet.js";

const PINGREQ = Buffer.of(0xc0, 0);

test("packets are cut from any chunks", () => {
	const publish = packet(0x3b, str("a/b"), u16(7), Buffer.from("x".repeat(200)));
	const stream = Buffer.concat([publish, PINGREQ, packet(0x40, u16(9)), packet(0x20, 1, 0)]);
	for (const size of [1, 3, stream.length]) {
		const reader = new WireReader();
		const packets = [];
		for (let at = 0; at < stream.length; at += size) packets.push(...reader.take(stream.subarray(at, at + size)));
		expect(Buffer.concat(packets.map(({ bytes }) => bytes))).toEqual(stream);
		expect(packets.map(({ packet }) => packet)).toEqual([
			{ type: "publish", qos: 1, dup: true, retain: true, topic: "a/b", payload: "x".repeat(200), id: 7 },
			{ type: "pingreq" },
			{ type: "puback", id: 9 },
			{ type: "connack", sessionPresent: true, code: 0 },
		]);
	}
});

describeWith("mosquitto", "a proxy between a device and mosquitto", () => {
	test("it forwards, swallows at the packet that was named, resets after another, and writes all of it down", async () => {
		await using broker = await startMosquitto();
		await using proxy = await startFaultProxy(broker.port);
		await using device = await connectDevice(proxy.url, { reconnectPeriod: 20, clean: false, clientId: "d" });
		await using observer = await connectDevice(broker.url);
		await observer.subscribe("#");
		await device.publish("a", "1");
		const swallowed = proxy.on("from server", "puback", 1, { packet: "swallowed", after: (link) => link.reset() });
		await device.publish("a", "2");
		await swallowed;
		expect((await observer.received(3)).map(({ payload }) => String(payload))).toEqual(["1", "2", "2"]);
		const wire = proxy.history.flatMap((entry) =>
			entry.event === "packet" ? [`${entry.epoch} ${entry.packet.type} ${entry.fate}`] : [entry.event],
		);
		expect(wire).toEqual([
			"opened",
			"1 connect forwarded",
			"1 connack forwarded",
			"1 publish forwarded",
			"1 puback forwarded",
			"1 publish forwarded",
			"fault",
			"1 puback swallowed",
			"closed",
			"opened",
			"2 connect forwarded",
			"2 connack forwarded",
			"2 publish forwarded",
			"2 puback forwarded",
		]);
		expect(proxy.faults).toBe(1);
	});

	test("refusing, then healed", async () => {
		await using broker = await startMosquitto();
		await using proxy = await startFaultProxy(broker.port);
		proxy.refuse();
		await expect(connectDevice(proxy.url)).rejects.toThrow(/ECONNREFUSED/);
		await proxy.heal();
		await using device = await connectDevice(proxy.url);
		await device.publish("a", "1");
	});

	test("a held packet is let go; a blackhole keeps what was sent until it is healed", async () => {
		await using broker = await startMosquitto();
		await using proxy = await startFaultProxy(broker.port);
		await using device = await connectDevice(proxy.url);
		await using observer = await connectDevice(broker.url);
		await observer.subscribe("#");
		const held = proxy.on("from client", "publish", 1, { packet: "held" });
		const first = device.publish("a", "1");
		await held;
		await device.publish("a", "2");
		proxy.links[0]!.release();
		await first;
		proxy.blackhole();
		const third = device.publish("a", "3");
		await new Promise((resolve) => setTimeout(resolve, 100));
		expect(observer.messages.map(({ payload }) => String(payload))).toEqual(["2", "1"]);
		await proxy.heal();
		await third;
		await observer.received(3);
	});
});

test("bytes are delayed, sliced, corrupted, injected and cut, and one side can end alone", async () => {
	const server = createServer({ allowHalfOpen: true, noDelay: true });
	onTestFinished(() => void server.close());
	const accepted = new Promise<Socket>((resolve) => server.once("connection", resolve));
	await using proxy = await startFaultProxy(await listen(server), { mqtt: false });
	const { socket, received } = await dialRaw(proxy.port);
	const sent: Buffer[] = [];
	const peer = (await accepted).on("error", () => {}).on("data", (chunk) => sent.push(chunk));
	const send = (bytes: Buffer) => peer.write(bytes);

	proxy.shape({ latencyMs: 100 }, ["from server"]);
	const sentAt = performance.now();
	send(Buffer.from("abc"));
	await eventually(() => expect(text(received)).toBe("abc"));
	expect(performance.now() - sentAt).toBeGreaterThanOrEqual(95);

	proxy.shape({ sliceBytes: 1 });
	send(Buffer.from("defgh"));
	await eventually(() => expect(text(received)).toBe("abcdefgh"));

	const [link] = proxy.links;
	link!.corrupt("from server", link!.passed("from server") + 1, 0x20);
	send(Buffer.from("ijk"));
	await eventually(() => expect(text(received)).toBe("abcdefghiJk"));

	link!.inject("from server", Buffer.from("!"));
	await eventually(() => expect(text(received)).toBe("abcdefghiJk!"));

	link!.truncate("from server", link!.passed("from server") + 2);
	const ended = new Promise((resolve) => socket.once("end", resolve));
	send(Buffer.from("lmn"));
	await ended;
	expect(text(received)).toBe("abcdefghiJk!lm");
	peer.write("after FIN");
	socket.write("the other direction goes on");
	await eventually(() => expect(text(sent)).toBe("the other direction goes on"));
	proxy.reset();
	socket.destroy();
	await eventually(() => expect(proxy.links).toEqual([]));
});

async function dialRaw(port: number): Promise<{ readonly socket: Socket; readonly received: Buffer[] }> {
	const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
	const received: Buffer[] = [];
	socket.on("data", (chunk) => received.push(chunk)).on("error", () => {});
	await new Promise((resolve) => socket.once("connect", resolve));
	return { socket, received };
}

function text(chunks: readonly Buffer[]): string {
	return Buffer.concat(chunks).toString();
}
