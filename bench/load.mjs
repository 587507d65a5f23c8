// The load: POSTs over a fixed number of connections, one request at a time on each. Bare sockets and no parser to speak of, so that
// the server is what is measured.
import net from "node:net";
import { report } from "./child.mjs";

const [port, count, connections] = process.argv.slice(2).map(Number);
const body = JSON.stringify({ operation: "create", data: { text: "x".repeat(80) } });
const request = Buffer.from(
	`POST /v1.0/bindings/bench HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
);
const latencies = [];
let started = 0;
const done = report();
for (let index = 0; index < connections; index++) {
	const socket = net.connect(port, "127.0.0.1");
	socket.setNoDelay(true);
	let at = 0;
	let head = "";
	const next = () => {
		if (started === count) return;
		started++;
		at = performance.now();
		socket.write(request);
	};
	socket.on("connect", next);
	socket.on("data", (chunk) => {
		head += chunk.latin1Slice();
		if (!head.endsWith("\r\n\r\n")) return;
		if (!head.startsWith("HTTP/1.1 204")) throw new Error(head);
		head = "";
		latencies.push(performance.now() - at);
		if (latencies.length === count) finish();
		else next();
	});
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
