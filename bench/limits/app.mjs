import { once } from "node:events";
import { createServer } from "node:http";

/** Answers 200 after a while; remembers the different payloads. */
export async function startApp(atEnd, delayMs) {
	const payloads = new Set();
	const app = {
		accepted: 0,
		port: 0,
		different: (first) => [...payloads].filter((text) => text.startsWith(first)).length,
	};
	const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
		let body = "";
		request.on("data", (chunk) => {
			body += chunk.latin1Slice();
		});
		request.on("end", () => {
			if (request.method !== "POST") return response.writeHead(200, { "content-length": 0 }).end();
			setTimeout(() => {
				app.accepted++;
				payloads.add(body);
				response.writeHead(200, { "content-length": 0 }).end();
			}, delayMs);
		});
	});
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	atEnd(() => {
		server.closeAllConnections();
		server.close();
	});
	app.port = server.address().port;
	return app;
}
