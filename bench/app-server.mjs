// The app: answers every request 200 with no body, and tells its parent when the first and the last of `count` came.
import { createServer } from "node:http";

let seen = 0;
let count = 0;
let firstAt = 0;
const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
	request.resume();
	response.writeHead(200, { "content-length": 0 }).end();
	if (request.method !== "POST") return;
	if (seen++ === 0) {
		firstAt = Date.now();
		process.send({ firstAt });
	}
	if (seen === count) process.send({ firstAt, lastAt: Date.now() });
});
process.on("message", (message) => {
	seen = 0;
	count = message.count;
});
server.listen(0, "127.0.0.1", () => process.send({ port: server.address().port }));
