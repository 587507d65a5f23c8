// The thinnest server that does the same job: node:http, JSON.parse, and our encoder.
import { createServer } from "node:http";
import { thinPublisher } from "./thin-publisher.mjs";

const publish = thinPublisher(Number(process.argv[2]));
const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
	const chunks = [];
	request.on("data", (chunk) => chunks.push(chunk));
	request.on("end", () => {
		const { data } = JSON.parse(Buffer.concat(chunks).toString());
		publish(Buffer.from(JSON.stringify(data)), () => response.writeHead(204).end());
	});
});
server.listen(0, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
