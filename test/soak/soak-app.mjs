// The app of the soak. Arguments: port, log file. What it accepts or refuses is in the file before the answer is on its way.
import { openSync, writeSync } from "node:fs";
import { createServer } from "node:http";

const [port, file] = process.argv.slice(2);
const log = openSync(file, "a");
let manner = { delayMs: [0, 0], status: 200 };
process.on("message", (message) => {
	manner = message;
});

function answer(body, response) {
	const { status } = manner;
	const number = /i-(\d+)/.exec(body)?.[1];
	if (number !== undefined) writeSync(log, `${status < 300 ? "+" : "-"}${number}\n`);
	response.writeHead(status, { "content-length": 0 }).end();
}

const server = createServer((request, response) => {
	if (request.method !== "POST") {
		request.resume();
		return response.writeHead(200).end();
	}
	let body = "";
	request.setEncoding("latin1");
	request.on("data", (chunk) => {
		body += chunk;
	});
	request.on("error", () => {});
	request.on("end", () => {
		const [least, most] = manner.delayMs;
		if (most === 0) return answer(body, response);
		setTimeout(answer, least + Math.random() * (most - least), body, response);
	});
});
server.keepAliveTimeout = 60_000;
server.listen(Number(port), "127.0.0.1", () => console.log("listening on it"));
