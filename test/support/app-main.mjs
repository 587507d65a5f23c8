// An HTTP app that answers by script. Arguments: port, log file, script as JSON; over IPC come later scripts.
// What it got and what it accepts is in the file before the answer is on its way, so that a kill loses nothing of it.
import { openSync, writeSync } from "node:fs";
import { createServer } from "node:http";

const [port, logFile, script] = process.argv.slice(2);
const log = openSync(logFile, "a");
/** @type {import("./app-script.js").AppScript} */
let current = JSON.parse(script ?? "{}");
/** Requests so far by payload, for rules that hold a few times only. */
let seen = new Map();
let requests = 0;

process.on("message", (message) => {
	current = message.script;
	seen = new Map();
	process.send({ applied: message.id });
});

function record(entry) {
	writeSync(log, `${JSON.stringify({ at: Number(process.hrtime.bigint()) / 1e6, ...entry })}\n`);
}

function answerFor(payload) {
	const text = payload.toString();
	const count = (seen.get(text) ?? 0) + 1;
	seen.set(text, count);
	const rule = current.rules?.find(
		({ payloads, pattern, times }) =>
			(payloads === undefined || payloads.includes(text)) &&
			(pattern === undefined || new RegExp(pattern).test(text)) &&
			(times === undefined || count <= times),
	);
	return { ...current, ...rule };
}

function milliseconds(delay) {
	if (!Array.isArray(delay)) return delay ?? 0;
	const [least, most] = delay;
	return least + Math.random() * (most - least);
}

function later(ms, action) {
	if (ms > 0) setTimeout(action, ms);
	else action();
}

function answer(id, request, response, rule) {
	const { status = 200, headers = {}, body = "", bodySize, bodyDelayMs, end } = rule;
	if (end === "exit") process.exit(1);
	if (end === "close") return request.socket.destroy();
	if (end === "reset") return request.socket.resetAndDestroy();
	if (rule.raw !== undefined) return request.socket.end(Buffer.from(rule.raw, "latin1"));
	const bytes = bodySize === undefined ? Buffer.from(body) : Buffer.alloc(bodySize, "x");
	const begin = () => response.writeHead(status, { ...headers, "content-length": bytes.length });
	if (end === "reset after headers") {
		begin().flushHeaders();
		return setImmediate(() => request.socket.resetAndDestroy());
	}
	const finish = () => {
		record({ id, event: "answered", status });
		response.end(bytes);
	};
	begin();
	if (bodyDelayMs === undefined) return finish();
	response.flushHeaders();
	return later(milliseconds(bodyDelayMs), finish);
}

const server = createServer((request, response) => {
	const chunks = [];
	request.on("data", (chunk) => chunks.push(chunk));
	request.on("error", () => {});
	request.on("end", () => {
		const { method, url, rawHeaders } = request;
		const id = `${process.pid}-${++requests}`;
		const payload = Buffer.concat(chunks);
		record({ id, event: "received", method, path: url, headers: rawHeaders, payload: payload.toString("base64") });
		if (method === "OPTIONS") return response.writeHead(current.probeStatus ?? 200).end();
		if (method !== "POST") return response.writeHead(200).end();
		const rule = answerFor(payload);
		if (rule.end === "hang") return undefined;
		return later(milliseconds(rule.delayMs), () => answer(id, request, response, rule));
	});
});
server.keepAliveTimeout = 60_000;
server.listen(Number(port), "127.0.0.1", () => {
	console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
