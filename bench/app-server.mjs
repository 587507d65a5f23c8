// The app: answers every request 200 with no body, and tells its parent when the first and the last of a run came.
import { createServer } from "node:http";

let seen = 0;
let run = { id: 0, count: 0 };
let firstAt = 0;
const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
	request.resume();
	response.writeHead(200, { "content-length": 0 }).end();
	if (request.method !== "POST") return;
	if (seen++ === 0) {
		firstAt = Date.now();
		process.send({ run: run.id, firstAt });
	}
	if (seen === run.count) process.send({ run: run.id, firstAt, lastAt: Date.now() });
});
process.on("message", (message) => {
	seen = 0;
	run = message;
	process.send({ run: run.id, ready: true });
});
server.listen(0, "127.0.0.1", () => process.send({ port: server.address().port }));
