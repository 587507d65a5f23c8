// The load: POSTs over a fixed number of connections, one request at a time on each.
import { Client } from "undici";
import { report } from "./child.mjs";

const [port, count, connections] = process.argv.slice(2).map(Number);
const body = Buffer.from(JSON.stringify({ operation: "create", data: { text: "x".repeat(80) } }));
const headers = ["content-type", "application/json"];
const latencies = [];
let started = 0;
let ended = 0;
const done = report();
for (let index = 0; index < connections; index++) {
	const client = new Client(`http://127.0.0.1:${port}`, { pipelining: 1 });
	const next = () => {
		if (started === count) return;
		started++;
		const at = performance.now();
		client.dispatch(
			{ path: "/v1.0/bindings/bench", method: "POST", headers, body },
			{
				onConnect() {},
				onHeaders(status) {
					if (status !== 204) throw new Error(`status ${status}`);
					return true;
				},
				onData: () => true,
				onComplete() {
					latencies.push(performance.now() - at);
					if (++ended === count) finish();
					else next();
				},
				onError(error) {
					throw error;
				},
			},
		);
	};
	next();
}
function finish() {
	latencies.sort((a, b) => a - b);
	console.log(
		JSON.stringify({
			medianMs: latencies[latencies.length >> 1],
			p99Ms: latencies[Math.floor(latencies.length * 0.99)],
		}),
	);
	done(count);
	process.exit(0);
}
