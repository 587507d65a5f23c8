// A broker of one client, which sends it so many QoS 0 messages a second, or what it takes of them, and ten of QoS 1. Arguments: seconds, rate.
import { createServer } from "node:net";

const TICK_MS = 10;
const [seconds, rate] = process.argv.slice(2).map(Number);
const sent = { qos0: 0, qos1: 0, pubacks: 0, pings: 0, connects: 0, runSeconds: 0 };

function publish(qos, id, payload) {
	const topic = Buffer.from("bench");
	const body = Buffer.concat([
		Buffer.of(0, topic.length),
		topic,
		...(qos ? [Buffer.of(id >> 8, id & 255)] : []),
		Buffer.from(payload),
	]);
	return Buffer.concat([Buffer.of(0x30 | (qos << 1), body.length), body]);
}

const server = createServer({ noDelay: true }, (socket) => {
	let rest = Buffer.alloc(0);
	socket.on("error", () => {});
	socket.on("data", (chunk) => {
		rest = Buffer.concat([rest, chunk]);
		// What the sidecar sends here is short: one byte of Remaining Length, but for CONNECT, which may have two.
		while (rest.length >= 2) {
			const long = rest[1] > 127;
			const length = long ? (rest[1] & 127) + (rest[2] ?? 0) * 128 + 3 : rest[1] + 2;
			if (rest.length < length) return;
			take(socket, rest[0] >> 4, rest.subarray(0, length));
			rest = rest.subarray(length);
		}
	});
});

function take(socket, type, packet) {
	if (type === 1) {
		sent.connects++;
		socket.write(Buffer.of(0x20, 2, 0, 0));
	} else if (type === 8) {
		socket.write(Buffer.of(0x90, 3, packet[2], packet[3], 1));
		if (sent.qos0 === 0) start(socket);
	} else if (type === 4) sent.pubacks++;
	else if (type === 12) {
		sent.pings++;
		socket.write(Buffer.of(0xd0, 0));
	}
}

function start(socket) {
	const startedAt = performance.now();
	let before = startedAt;
	let ticks = 0;
	const timer = setInterval(() => {
		const now = performance.now();
		const due = Math.round((Math.min(now - before, 100) * rate) / 1_000);
		before = now;
		// What the socket does not take is not offered again: the figure is what went out.
		if (socket.writableLength < 2 ** 20) {
			const batch = [];
			for (let index = 0; index < due; index++) batch.push(publish(0, 0, `z${sent.qos0++}`));
			if (ticks++ % 10 === 0) batch.push(publish(1, (sent.qos1 % 65_535) + 1, `o${sent.qos1++}`));
			socket.write(Buffer.concat(batch));
		}
		if (now - startedAt < seconds * 1_000) return;
		clearInterval(timer);
		sent.runSeconds = (now - startedAt) / 1_000;
		process.send("flooded");
	}, TICK_MS);
}

process.on("message", () => process.send(sent));
server.listen(0, "127.0.0.1", () => process.send({ port: server.address().port }));
