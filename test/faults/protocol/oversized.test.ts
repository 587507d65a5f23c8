import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect } from "vitest";
import { ClientUnderTest, startScene } from "../../integration/client/client-under-test.js";
import { component, logged, metric, reasons, untilReady, untilReason } from "../../integration/sidecar/component.js";
import { distinct, numbers, startLine, texts } from "../../integration/sidecar/line.js";
import { startApp } from "../../support/app-process.js";
import { listen } from "../../support/connection-recorder.js";
import { eventually } from "../../support/eventually.js";
import { startScriptedBroker } from "../../support/scripted-broker.js";
import { startSidecar } from "../../support/sidecar-process.js";
import { fault } from "../support/fault.js";

const MIB = 1024 * 1024;
const LARGE = { maxPayloadSize: 10_000 };

fault(
	{ rows: ["F-52"], injected: "a message of 1 MB, larger than maxPayloadSize, then one that fits" },
	"it comes with topic, identifier and size but no payload; what follows comes whole, on the same connection",
	async ({ seen }) => {
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
		seen("1,000,000 bytes skipped, the next 10,000 whole, one PUBACK each once accepted");
	},
);

fault(
	{ rows: ["F-52"], injected: "copies and redeliveries of a message larger than maxPayloadSize" },
	"in comparisons its size stands for its payload: a copy is a copy, and a redelivery takes it over",
	async ({ seen }) => {
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
		seen("1 copy, 1 adoption; another size is another message");
	},
);

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

fault(
	{
		rows: ["F-51", "S-34"],
		injected:
			"a PUBLISH of Remaining Length 268,435,455, the largest there is, written as fast as it is read; then a small one",
		scale: "below 16 MiB for client, broker and sockets together, instead of 1 MiB for the client alone",
	},
	"it is read piece by piece and costs no memory; the connection goes on",
	async ({ seen }) => {
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
		seen(`skipped; buffers of client and broker together grew by at most ${(most / MIB).toFixed(1)} MiB`);
	},
	60_000,
);

fault(
	{ rows: ["F-51"], injected: "a Remaining Length of five bytes" },
	"[2.2.3] the connection is closed, and the next one is clean",
	async ({ seen }) => {
		await using scene = await startScene();
		const connection = await scene.subscribed();
		connection.sendRaw(Buffer.of(0x32, 0xff, 0xff, 0xff, 0xff, 0x01));
		await connection.closed;
		expect((await scene.it.reported("disconnected")).message).toContain("[2.2.3]");
		const next = await scene.subscribed({ sessionPresent: true });
		next.publish("a/b", "m", { qos: 1, messageId: 1 });
		(await scene.it.delivered(1)).ack();
		await next.expect("puback");
		seen("closed for [2.2.3]; the next connection delivers");
	},
);

fault(
	{
		rows: ["F-52", "F-94", "S-34"],
		injected: "a retained message of 8 MiB in mosquitto, with onOversized: hold, and 200 messages behind it",
	},
	"it is never buffered, and held: readiness names topic and size, the connection is kept, everything else flows and is acknowledged",
	async ({ seen }) => {
		await using line = await startLine({ broker: { logPackets: true } });
		const { broker, app, sidecar, device } = line;
		const before = await metric(sidecar, "process_resident_memory_bytes");
		await device.publish("in/large", Buffer.alloc(8 * MIB), { retain: true });
		const { message } = await untilReason(sidecar, "oversized");
		expect(message).toContain('"in/large"');
		expect(message).toContain(String(8 * MIB));
		await device.publishAll(200, (index) => ({ topic: "in/a", payload: String(index) }));
		await eventually(() => expect(distinct(texts(app.accepted()))).toEqual(numbers(200)));
		expect(await metric(sidecar, 'mqtt3_binding_held_oversized{component="orders"')).toBe(1);
		await eventually(async () =>
			expect(await metric(sidecar, 'mqtt3_binding_unacknowledged{component="orders"')).toBe(1),
		);
		expect(app.requests()).toHaveLength(200);
		expect(logged(sidecar, "oversized")).toHaveLength(1);
		expect((await sidecar.ready()).status).toBe(200);
		const acks = broker.log.filter((entry) => /Received PUBACK from sidecar-orders/.test(entry)).length;
		expect(acks).toBe(200);
		expect(await metric(sidecar, 'mqtt3_binding_connects_total{component="orders"')).toBe(1);
		const grown = ((await metric(sidecar, "process_resident_memory_bytes")) - before) / MIB;
		seen(`"${message}"; 200 accepted and acknowledged on the same connection; memory +${grown.toFixed(0)} MiB`);
	},
	60_000,
);

fault(
	{ rows: ["F-52"], injected: "the same with onOversized: drop" },
	"it is acknowledged, counted and said; the rest flows",
	async ({ seen }) => {
		await using line = await startLine({ fields: { onOversized: "drop" }, broker: { logPackets: true } });
		const { broker, app, sidecar, device } = line;
		await device.publish("in/large", Buffer.alloc(8 * MIB));
		await device.publishAll(50, (index) => ({ topic: "in/a", payload: String(index) }));
		await eventually(() => expect(distinct(texts(app.accepted()))).toEqual(numbers(50)));
		const dropped = 'mqtt3_binding_dropped_total{component="orders",reason="oversized"';
		expect(await metric(sidecar, dropped)).toBe(1);
		await eventually(() =>
			expect(broker.log.filter((entry) => /Received PUBACK from sidecar-orders/.test(entry))).toHaveLength(51),
		);
		expect((await reasons(sidecar)).filter(({ code }) => code === "oversized")).toEqual([]);
		expect(app.requests()).toHaveLength(50);
		seen("51 PUBACKs, 50 accepted, 1 counted as dropped for its size");
	},
);

fault(
	{
		rows: ["F-94"],
		injected:
			"an oversized message that is held, its window of one less, and 500 messages of which a third is refused once",
	},
	"acknowledgements pass it by and flow; each message is accepted and acknowledged once, the held one not",
	async ({ seen }) => {
		await using broker = await startScriptedBroker();
		await using app = await startApp({ rules: [{ pattern: "0$", status: 500, times: 1 }] });
		const components = component({
			url: broker.url,
			maxPayloadSize: 1_024,
			backOffInterval: "10ms",
			backOffMaxRetries: 5,
		});
		await using sidecar = await startSidecar({ components, appPort: app.port });
		const connection = await broker.accept();
		await connection.greet();
		await connection.grant();
		connection.publish("in/large", Buffer.alloc(5_000), { qos: 1, messageId: 1 });
		const acknowledged: number[] = [];
		for (let index = 0; index < 500; index++) {
			connection.publish("in/a", String(index), { qos: 1, messageId: 2 + (index % 19) });
			if (index % 19 !== 18) continue;
			for (let count = 0; count < 19; count++) acknowledged.push((await connection.expect("puback")).messageId!);
		}
		for (let rest = 500 % 19; rest > 0; rest--) acknowledged.push((await connection.expect("puback")).messageId!);
		await untilReady(sidecar);
		expect(acknowledged).toHaveLength(500);
		expect(acknowledged).not.toContain(1);
		await connection.nothing(50);
		expect(distinct(texts(app.accepted()))).toEqual(numbers(500));
		expect(app.accepted()).toHaveLength(500);
		seen(`500 PUBACKs beside the held one, ${app.requests().length} attempts for 500 messages`);
	},
	60_000,
);
