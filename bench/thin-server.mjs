// The thinnest server that does the same job: node:http, JSON.parse, our encoder, one socket, publishes batched per turn.
import { createServer } from "node:http";
import net from "node:net";
import { encode, publishSize, writePublishHeader } from "../dist/mqtt/encode.js";

const brokerPort = Number(process.argv[2]);
const broker = net.connect(brokerPort, "127.0.0.1");
broker.setNoDelay(true);
broker.write(encode({ type: "connect", clientId: "thin", cleanSession: true, keepAlive: 60 }));
const waiting = new Map();
let nextId = 1;
let batch = [];
broker.on("data", (chunk) => {
	for (let at = 0; at + 4 <= chunk.length; at += 4) {
		if (chunk[at] !== 0x40) continue;
		const id = (chunk[at + 2] << 8) | chunk[at + 3];
		waiting.get(id)?.writeHead(204).end();
		waiting.delete(id);
	}
});
function publish(payload, response) {
	const id = nextId;
	nextId = (nextId % 65_535) + 1;
	waiting.set(id, response);
	const packet = Buffer.allocUnsafe(publishSize(5, payload.length, 1));
	const end = writePublishHeader(packet, 0, "bench", 5, payload.length, id, 1, false, false);
	packet.set(payload, end);
	if (batch.push(packet) === 1) setImmediate(flush);
}
function flush() {
	broker.write(Buffer.concat(batch));
	batch = [];
}
const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
	const chunks = [];
	request.on("data", (chunk) => chunks.push(chunk));
	request.on("end", () => {
		const { data } = JSON.parse(Buffer.concat(chunks).toString());
		publish(Buffer.from(JSON.stringify(data)), response);
	});
});
server.listen(0, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
