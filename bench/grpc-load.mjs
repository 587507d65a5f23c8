// The load: calls of InvokeBinding over one connection, a fixed number in flight. Frames made once and no HPACK to speak of, so that the
// server is what is measured; an answer counts when it has a message and then trailers, as a refused call has no message.
import net from "node:net";
import { report } from "./child.mjs";

const [port, count, inFlight] = process.argv.slice(2).map(Number);
const [DATA, HEADERS, SETTINGS, PING, GOAWAY, WINDOW_UPDATE] = [0, 1, 4, 6, 7, 8];
const [END_STREAM, ACK, END_HEADERS] = [1, 1, 4];

function frame(type, flags, stream, payload) {
	const head = Buffer.alloc(9);
	head.writeUIntBE(payload.length, 0, 3);
	head[3] = type;
	head[4] = flags;
	head.writeUInt32BE(stream, 5);
	return Buffer.concat([head, payload]);
}

/** A header whose name is in HPACK's static table, or is written out; never indexed, so that the block can be sent again and again. */
function header(name, value, index) {
	const text = (string) => Buffer.concat([Buffer.from([string.length]), Buffer.from(string)]);
	if (index === undefined) return Buffer.concat([Buffer.from([0]), text(name), text(value)]);
	return Buffer.concat([Buffer.from(index < 15 ? [index] : [15, index - 15]), text(value)]);
}

function field(number, bytes) {
	return Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
}

const message = Buffer.concat([
	field(1, Buffer.from("bench")),
	field(2, Buffer.from(JSON.stringify({ text: "x".repeat(80) }))),
	field(4, Buffer.from("create")),
]);
const prefix = Buffer.alloc(5);
prefix.writeUInt32BE(message.length, 1);
const headers = Buffer.concat([
	Buffer.from([0x83, 0x86]), // :method POST, :scheme http
	header(":path", "/dapr.proto.runtime.v1.Dapr/InvokeBinding", 4),
	header(":authority", `127.0.0.1:${port}`, 1),
	header("te", "trailers"),
	header("content-type", "application/grpc", 31),
	header("user-agent", "grpc-node-js/1.14.7", 58),
	header("grpc-accept-encoding", "identity,deflate,gzip"),
	header("accept-encoding", "identity", 16),
]);
const call = Buffer.concat([
	frame(HEADERS, END_HEADERS, 0, headers),
	frame(DATA, END_STREAM, 0, Buffer.concat([prefix, message])),
]);
const secondFrameAt = 9 + headers.length;

const socket = net.connect(port, "127.0.0.1");
socket.setNoDelay(true);
const latencies = [];
const startedAt = new Map();
const answered = new Set();
let started = 0;
let batch = [];
const done = report();

function start() {
	if (started === count) return;
	const stream = 2 * started++ + 1;
	const bytes = Buffer.from(call);
	bytes.writeUInt32BE(stream, 5);
	bytes.writeUInt32BE(stream, secondFrameAt + 5);
	startedAt.set(stream, performance.now());
	batch.push(bytes);
}

function flush() {
	if (batch.length > 0) socket.write(Buffer.concat(batch));
	batch = [];
}

socket.on("connect", () => {
	const window = Buffer.alloc(4);
	window.writeUInt32BE(2 ** 31 - 65_536);
	batch.push(
		Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
		frame(SETTINGS, 0, 0, Buffer.alloc(0)),
		frame(WINDOW_UPDATE, 0, 0, window),
	);
	for (let index = 0; index < inFlight; index++) start();
	flush();
});

let rest = Buffer.alloc(0);
socket.on("data", (chunk) => {
	const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
	let at = 0;
	while (at + 9 <= bytes.length) {
		const end = at + 9 + bytes.readUIntBE(at, 3);
		if (end > bytes.length) break;
		take(bytes[at + 3], bytes[at + 4], bytes.readUInt32BE(at + 5), bytes.subarray(at + 9, end));
		at = end;
	}
	rest = bytes.subarray(at);
	flush();
});

function take(type, flags, stream, payload) {
	if (type === SETTINGS && (flags & ACK) === 0) batch.push(frame(SETTINGS, ACK, 0, Buffer.alloc(0)));
	if (type === PING && (flags & ACK) === 0) batch.push(frame(PING, ACK, 0, payload));
	if (type === GOAWAY) throw new Error(`GOAWAY ${payload.toString("latin1")}`);
	if (type === DATA) answered.add(stream);
	if (stream === 0 || (flags & END_STREAM) === 0) return;
	if (!answered.delete(stream)) throw new Error(`call ${stream} was refused: ${payload.toString("latin1")}`);
	latencies.push(performance.now() - startedAt.get(stream));
	startedAt.delete(stream);
	if (latencies.length === count) finish();
	else start();
}

function finish() {
	done(count);
	latencies.sort((a, b) => a - b);
	console.log(
		JSON.stringify({
			medianMs: latencies[latencies.length >> 1],
			p99Ms: latencies[Math.floor(latencies.length * 0.99)],
		}),
	);
	process.exit(0);
}
