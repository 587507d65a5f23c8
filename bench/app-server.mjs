// The app: answers every request 200 with no body, and tells its parent when the first and the last of a run came.
import { createServer } from "node:http";
import { countRuns } from "./app-runs.mjs";

const count = countRuns();
const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
	request.resume();
	response.writeHead(200, { "content-length": 0 }).end();
	if (request.method === "POST") count();
});
server.listen(0, "127.0.0.1", () => process.send({ port: server.address().port }));
