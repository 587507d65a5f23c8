// `undici` dispatch alone: the same requests to the same server, without a broker.
import { Pool } from "undici";
import { report } from "./child.mjs";

const [port, count, atOnce, connections] = process.argv.slice(2).map(Number);
const pool = new Pool(`http://127.0.0.1:${port}`, { connections, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 });
const body = Buffer.alloc(100, "x");
const headers = ["content-type", "application/json", "topic", "bench"];
const done = report();
let started = 0;
let ended = 0;
class Exchange {
	onConnect() {}
	onHeaders() {
		return true;
	}
	onData() {
		return true;
	}
	onComplete() {
		if (++ended === count) {
			done(count);
			pool.close();
		} else {
			next();
		}
	}
	onError(error) {
		throw error;
	}
}
function next() {
	if (started === count) return;
	started++;
	pool.dispatch({ path: "/bench", method: "POST", headers, body }, new Exchange());
}
for (let index = 0; index < atOnce; index++) next();
