import { getEventListeners } from "node:events";
import { createServer, type LookupFunction, type Server } from "node:net";
import { afterEach, expect, test } from "vitest";
import { dialError, dialRecorded, listen } from "../../test/support/connection-recorder.js";
import { MqttConnectionError } from "../errors.js";
import { parseBrokerUrl } from "./broker-url.js";
import { DialAttempt } from "./dial-attempt.js";
import { openSocket } from "./open-socket.js";

const servers: Server[] = [];
afterEach(() => {
	for (const server of servers.splice(0)) server.close();
});

async function serve(host = "127.0.0.1"): Promise<number> {
	const server = createServer((socket) => socket.on("error", () => {}).resume());
	servers.push(server);
	return listen(server, host);
}

async function closedPort(): Promise<number> {
	const server = createServer();
	const port = await listen(server);
	await new Promise((resolve) => server.close(resolve));
	return port;
}

function lookupOf(...addresses: string[]): LookupFunction {
	return (_host, _options, callback) =>
		callback(
			null,
			addresses.map((address) => ({ address, family: 4 })),
		);
}

async function openTo(host: string, port: number, lookup: LookupFunction, timeoutMs = 5_000) {
	const attempt = new DialAttempt(parseBrokerUrl(`tcp://${host}:${port}`), timeoutMs, new AbortController().signal);
	try {
		const socket = await openSocket(parseBrokerUrl(`tcp://${host}:${port}`), undefined, attempt, lookup);
		const { remoteAddress } = socket;
		socket.destroy();
		return remoteAddress;
	} finally {
		attempt.finish();
	}
}

test("a port where nothing listens is refused, and the message says which and why", async () => {
	const port = await closedPort();
	const error = await dialError(`mqtt://user:canary@127.0.0.1:${port}`);
	expect(error).toMatchObject({
		reason: "refused",
		url: `tcp://127.0.0.1:${port}`,
		message: `cannot connect to tcp://127.0.0.1:${port}: connection refused; nothing listens there`,
	});
});

test("a name that does not exist is an error of the name lookup", async () => {
	const error = await dialError("tcp://no-such-broker.invalid");
	expect(error.reason).toBe("dns");
});

test("all addresses of a name are tried, the dead ones first", async () => {
	const port = await serve();
	expect(await openTo("broker.test", port, lookupOf("127.0.0.2", "127.0.0.1"))).toBe("127.0.0.1");
});

test("when all addresses fail, the attempt fails with their reason", async () => {
	const port = await closedPort();
	await expect(openTo("broker.test", port, lookupOf("127.0.0.1", "127.0.0.2"))).rejects.toMatchObject({
		reason: "refused",
	});
});

test("a name is looked up again at each attempt", async () => {
	const port = await serve();
	let lookups = 0;
	const lookup: LookupFunction = (host, options, callback) => {
		lookups++;
		lookupOf(lookups === 1 ? "127.0.0.2" : "127.0.0.1")(host, options, callback);
	};
	await expect(openTo("broker.test", port, lookup)).rejects.toMatchObject({ reason: "refused" });
	expect(await openTo("broker.test", port, lookup)).toBe("127.0.0.1");
	expect(lookups).toBe(2);
});

test("the time limit covers the name lookup", async () => {
	await expect(openTo("broker.test", 1, () => {}, 30)).rejects.toMatchObject({
		reason: "timeout",
		message: "cannot connect to tcp://broker.test:1: no answer within 30 ms (name lookup)",
	});
});

test("a signal that is aborted already opens nothing; one that aborts gives the attempt up", async () => {
	const port = await serve();
	expect((await dialError(`tcp://127.0.0.1:${port}`, {}, AbortSignal.abort())).reason).toBe("local");

	const controller = new AbortController();
	const attempt = new DialAttempt(parseBrokerUrl("tcp://broker.test"), 5_000, controller.signal);
	const opening = openSocket(parseBrokerUrl("tcp://broker.test"), undefined, attempt, () =>
		setImmediate(() => controller.abort()),
	);
	await expect(opening).rejects.toMatchObject({ reason: "local", message: expect.stringMatching(/given up by us/) });
	await expect(opening).rejects.toBeInstanceOf(MqttConnectionError);
	attempt.finish();
});

test("a signal that aborts after the connection stands does not touch it", async () => {
	const port = await serve();
	const controller = new AbortController();
	const { connection, recorder } = await dialRecorded(`tcp://127.0.0.1:${port}`, {}, controller.signal);
	expect(getEventListeners(controller.signal, "abort")).toEqual([]);
	controller.abort();
	await new Promise((resolve) => setImmediate(resolve));
	expect(recorder.causes).toEqual([]);
	await connection.end(1_000);
});
