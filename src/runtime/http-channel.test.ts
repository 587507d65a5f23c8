import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { createCa } from "../../test/support/certificates.js";
import { eventually } from "../../test/support/eventually.js";
import { type AppAnswer, type AppScript, HttpApp, type HttpAppOptions } from "../../test/support/http-app.js";
import type { ReadResponse, Verdict } from "../bindings/binding.js";
import { AppError, ConfigurationError } from "../errors.js";
import type { AppChannel } from "./app-channel.js";
import { createHttpChannel, type HttpChannelOptions } from "./http-channel.js";

const event: ReadResponse = {
	data: Buffer.from('{"t":21.5}'),
	metadata: { topic: "home/kitchen" },
	contentType: "application/json",
};

async function setUp({
	script,
	app: appOptions,
	channel: channelOptions,
}: {
	readonly script?: AppScript;
	readonly app?: HttpAppOptions;
	readonly channel?: Partial<HttpChannelOptions>;
} = {}): Promise<{ app: HttpApp; channel: AppChannel; post: (signal?: AbortSignal) => Promise<Verdict> }> {
	const app = await HttpApp.start(script, appOptions);
	onTestFinished(() => app[Symbol.asyncDispose]());
	const channel = openChannel({ port: app.port, ...channelOptions });
	const { signal } = new AbortController();
	return { app, channel, post: (own = signal) => channel.sendBindingEvent("orders", "orders", event, own) };
}

function openChannel(options: Partial<HttpChannelOptions> & { readonly port: number }): AppChannel {
	const channel = createHttpChannel({ host: "127.0.0.1", ...options });
	onTestFinished(() => channel.close());
	return channel;
}

/** A port on which nobody listens. */
async function closedPort(): Promise<number> {
	const app = await HttpApp.start();
	await app[Symbol.asyncDispose]();
	return app.port;
}

/** Answers each of the first requests with the next of these, and everything later with 200. */
function inTurn(...answers: readonly AppAnswer[]): AppScript {
	let index = 0;
	return () => answers[index++] ?? 200;
}

describe("a delivery", () => {
	test("is a POST to the route with the payload as it is and the metadata as headers", async () => {
		const { app, channel } = await setUp({ channel: { appToken: "app-token" } });
		const data = Buffer.from([0, 255, 13, 10, 128]);
		const metadata = { topic: "größe\n", retained: "true", other: "no" };
		const { signal } = new AbortController();
		await channel.sendBindingEvent("orders", "in/orders", { data, metadata, contentType: "text/plain" }, signal);
		const [request] = app.requests;
		expect(request).toMatchObject({ method: "POST", path: "/in/orders" });
		expect(request?.body).toEqual(data);
		expect(request?.headers).toMatchObject({
			"content-type": "text/plain",
			"content-length": "5",
			"dapr-api-token": "app-token",
			retained: "true",
			topic: "gr%C3%B6%C3%9Fe%0A",
			"topic-percent": "gr%C3%B6%C3%9Fe%0A",
			host: channel.address,
		});
		expect(request?.headers).not.toHaveProperty("other");
	});

	test("carries a Unicode topic as its UTF-8 bytes", async () => {
		const { app, channel } = await setUp();
		await channel.sendBindingEvent(
			"o",
			"o",
			{ ...event, metadata: { topic: "größe 😀" } },
			new AbortController().signal,
		);
		expect(Buffer.from(String(app.requests[0]?.headers.topic), "latin1").toString()).toBe("größe 😀");
	});

	test("with an empty payload has an empty body", async () => {
		const { app, channel } = await setUp();
		const { signal } = new AbortController();
		const verdict = await channel.sendBindingEvent("o", "o", { ...event, data: new Uint8Array() }, signal);
		expect(verdict).toEqual({ kind: "accepted" });
		expect(app.requests[0]?.headers["content-length"]).toBe("0");
	});

	test("of 4 MiB arrives byte for byte", async () => {
		const { app, channel } = await setUp();
		const data = Buffer.alloc(4 << 20, "0123456789");
		await channel.sendBindingEvent("o", "o", { ...event, data }, new AbortController().signal);
		expect(app.requests[0]?.body.equals(data)).toBe(true);
	});

	test("goes out on a connection that was used before", async () => {
		const { app, post } = await setUp();
		for (let index = 0; index < 5; index++) await post();
		expect(app.connections).toBe(1);
	});

	test("reaches an app that listens on IPv6", async () => {
		const server = createServer((socket) =>
			socket.resume().end("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"),
		);
		const port = await listening(server, "::1").catch(() => undefined);
		if (port === undefined) return console.warn("left out: this machine has no IPv6 loopback");
		const channel = openChannel({ host: "::1", port });
		expect(channel.address).toBe(`[::1]:${port}`);
		expect(await channel.sendBindingEvent("o", "o", event, new AbortController().signal)).toEqual({ kind: "accepted" });
	});

	test("reaches an app over TLS without a check of its certificate", async () => {
		const authority = await createCa();
		const tls = await authority.issue({ dnsNames: ["elsewhere.example"] });
		const { channel, post } = await setUp({ app: { tls }, channel: { protocol: "https" } });
		await channel.waitForPort(new AbortController().signal);
		expect(await post()).toEqual({ kind: "accepted" });
	});
});

describe("F-38: the app's answer", () => {
	test.each<[string, AppAnswer]>([
		["200", 200],
		["201 with a body", { status: 201, body: "created" }],
		["204", 204],
		["299", 299],
		["103 and then 200", { earlyHints: true }],
		["200 with a body of 5 MiB", { body: Buffer.alloc(5 << 20) }],
		["200 with a slow body", { body: "0123456789", pieces: 5 }],
		["200 after a while", { delayMs: 50 }],
		["200 whose body ends with the connection, in order", { raw: "HTTP/1.1 200 OK\r\n\r\nhello", end: "close" }],
		["200 of HTTP/1.0", { raw: "HTTP/1.0 200 OK\r\n\r\n", end: "close" }],
	])("%s accepts", async (_, answer) => {
		const { post } = await setUp({ script: () => answer });
		expect(await post()).toEqual({ kind: "accepted" });
	});

	test.each([300, 301, 302, 307, 400, 401, 404, 405, 409, 422, 500, 501, 503])(
		"%i is a failed attempt",
		async (status) => {
			const { app, post } = await setUp({ script: () => ({ status, headers: { location: "/elsewhere" } }) });
			const verdict = await post();
			expect(verdict).toMatchObject({ kind: "failed", status, error: { code: "ERR_APP", outcome: "failed", status } });
			expect(verdict).not.toHaveProperty("retryAfterMs");
			expect(app.requests).toHaveLength(1);
		},
	);

	test.each<[number, string, number | undefined]>([
		[429, "7", 7_000],
		[503, "0", 0],
		[503, "nonsense", undefined],
		[500, "7", undefined],
	])("%i with Retry-After %s asks for a delay of %s ms", async (status, value, retryAfterMs) => {
		const { post } = await setUp({ script: () => ({ status, headers: { "Retry-After": value } }) });
		const verdict = await post();
		expect(verdict.kind === "failed" && verdict.retryAfterMs).toBe(retryAfterMs);
	});

	test("Retry-After with a date asks for the time until then", async () => {
		const headers = { "retry-after": new Date(Date.now() + 60_000).toUTCString() };
		const { post } = await setUp({ script: () => ({ status: 429, headers }) });
		const verdict = await post();
		expect(verdict.kind === "failed" && verdict.retryAfterMs).toBeGreaterThan(55_000);
		expect(verdict.kind === "failed" && verdict.retryAfterMs).toBeLessThanOrEqual(60_000);
	});

	test.each<[string, string, "close" | "reset" | "hang"]>([
		["that is not HTTP", "SMTP ready\r\n", "hang"],
		["that ends in the status line", "HTTP/1.1 200", "close"],
		["that is reset after the status line", "HTTP/1.1 200 OK\r\n", "reset"],
		["that ends in the headers", "HTTP/1.1 200 OK\r\ncontent-le", "close"],
		["that is reset before a body that ends with the connection", "HTTP/1.1 200 OK\r\n\r\nhel", "reset"],
		["that ends in a body of known length", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello", "close"],
		["that is reset in a body of known length", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello", "reset"],
		["that ends in a chunked body", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n", "close"],
		["with a broken chunk size", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n", "hang"],
		["with two content lengths", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\na", "hang"],
		[
			"that changes the protocol",
			"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
			"hang",
		],
		["with headers of 100 KiB", `HTTP/1.1 200 OK\r\nx: ${"x".repeat(100_000)}\r\n\r\n`, "hang"],
	])("a response %s is a failed attempt while the port is open", async (_, raw, end) => {
		const { app, post } = await setUp({ script: inTurn(200, { raw, end }) });
		await post();
		const verdict = await post();
		expect(verdict).toMatchObject({ kind: "failed", error: { code: "ERR_APP", outcome: "failed" } });
		expect(verdict).not.toHaveProperty("status");
		expect(app.requests).toHaveLength(2);
	});

	test("a connection that still works is used again after a refusal", async () => {
		const { app, post } = await setUp({ script: inTurn(500, 404) });
		for (let index = 0; index < 3; index++) await post();
		expect(app.connections).toBe(1);
	});

	test("the next delivery after a broken response goes through", async () => {
		const { post } = await setUp({ script: inTurn({ raw: "nonsense\r\n\r\n", end: "close" }, 200) });
		expect((await post()).kind).toBe("failed");
		expect(await post()).toEqual({ kind: "accepted" });
	});
});

describe("a connection that ends without an answer", () => {
	test.each(["close", "reset"] as const)(
		"(%s) is a failed attempt when it was new and the port is open",
		async (end) => {
			const { app, post } = await setUp({ script: () => end });
			expect(await post()).toMatchObject({ kind: "failed" });
			expect(app.requests).toHaveLength(1);
		},
	);

	test.each(["close", "reset"] as const)(
		"(%s) is no attempt when it was used before: sent again at once on a new one",
		async (end) => {
			const { app, post } = await setUp({ script: inTurn(200, end, 200) });
			await post();
			expect(await post()).toEqual({ kind: "accepted" });
			expect(app.requests.map(({ connection }) => connection)).toEqual([1, 1, 3]);
			expect(app.requests[2]?.body).toEqual(event.data);
		},
	);

	test("twice in a row for one message is a failed attempt", async () => {
		const { app, post } = await setUp({ script: inTurn(200, "reset", "reset") });
		await post();
		expect(await post()).toMatchObject({ kind: "failed" });
		expect(app.requests).toHaveLength(3);
	});

	test("and the port closed is a crash, also when it was used before", async () => {
		const { post } = await setUp({ script: inTurn(200, "crash") });
		await post();
		expect(await post()).toEqual({ kind: "none", crashed: true });
	});

	test("and the port closed by the time it is sent again is a crash", async () => {
		let connections = 0;
		const server = createServer((socket) => {
			// The second connection is the look at the port.
			if (++connections === 2) server.close();
			let requests = 0;
			socket.on("error", () => {});
			socket.on("data", () => {
				if (++requests === 1) socket.write("HTTP/1.1 204 No Content\r\n\r\n");
				else socket.destroy();
			});
		});
		const channel = openChannel({ port: await listening(server, "127.0.0.1") });
		const { signal } = new AbortController();
		expect(await channel.sendBindingEvent("o", "o", event, signal)).toEqual({ kind: "accepted" });
		expect(await channel.sendBindingEvent("o", "o", event, signal)).toEqual({ kind: "none", crashed: true });
	});

	test("and the port closed a moment later is a crash: a dying process loses one socket after the other", async () => {
		const { app, post } = await setUp();
		app.script = () => {
			setTimeout(() => app.crash(), 5);
			return "reset";
		};
		expect(await post()).toEqual({ kind: "none", crashed: true });
	});

	test("because the app closes what is idle costs no attempt, however often", async () => {
		const { post } = await setUp({ app: { keepAliveTimeoutMs: 1 } });
		for (let index = 0; index < 30; index++) {
			expect(await post()).toEqual({ kind: "accepted" });
			await new Promise((resolve) => setTimeout(resolve, index % 5));
		}
	});

	test("is answered for by one look at the port for all", async () => {
		const { app, post } = await setUp({ script: (request) => (request.onConnection === 1 ? 200 : "reset") });
		const all = () => Promise.all(Array.from({ length: 50 }, () => post()));
		await all();
		const before = app.connections;
		await all();
		// Each is sent again on a connection of its own; the looks at the port are what is left.
		expect(app.connections - before - 50).toBeLessThan(15);
	});
});

describe("F-85: the app", () => {
	test("that does not listen is unreachable", async () => {
		const channel = openChannel({ port: await closedPort() });
		const { signal } = new AbortController();
		expect(await channel.sendBindingEvent("o", "o", event, signal)).toEqual({ kind: "unreachable" });
		expect(await channel.sendBindingEvent("o", "o", event, signal)).toEqual({ kind: "unreachable" });
	});

	test.each<[string, AppAnswer]>([
		["before the first byte", "crash"],
		["in the status line", { raw: "HTTP/1.1 20", end: "crash" }],
		["in the body", { raw: "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel", end: "crash" }],
		["in a body that ends with the connection", { raw: "HTTP/1.1 200 OK\r\n\r\nhel", end: "crash" }],
	])("that crashes %s gives no verdict", async (_, answer) => {
		const { post } = await setUp({ script: () => answer });
		expect(await post()).toEqual({ kind: "none", crashed: true });
		expect(await post()).toEqual({ kind: "unreachable" });
	});

	test("killed with 200 events in its hands gives no verdict on any, and takes them when it is back", async () => {
		const { signal } = new AbortController();
		const first = await startSilentApp();
		const channel = openChannel({ port: first.port });
		const verdicts = Promise.all(Array.from({ length: 200 }, () => channel.sendBindingEvent("o", "o", event, signal)));
		await first.hasRequests(200);
		first.kill();
		for (const verdict of await verdicts) expect(verdict).toEqual({ kind: "none", crashed: true });
		await using app = await HttpApp.start(undefined, { port: first.port });
		await channel.waitForPort(signal);
		const again = await Promise.all(
			Array.from({ length: 200 }, () => channel.sendBindingEvent("o", "o", event, signal)),
		);
		for (const verdict of again) expect(verdict).toEqual({ kind: "accepted" });
		expect(app.requests).toHaveLength(200);
	});
});

describe("aborting", () => {
	test("ends a delivery under way without a verdict, and its connection", async () => {
		const { app, post } = await setUp({ script: inTurn("hang", 200) });
		const abort = new AbortController();
		const verdict = post(abort.signal);
		await eventually(() => expect(app.requests).toHaveLength(1));
		abort.abort();
		expect(await verdict).toEqual({ kind: "none" });
		await eventually(() => expect(app.concurrency).toBe(0));
		expect(await post()).toEqual({ kind: "accepted" });
		expect(app.requests[1]?.connection).not.toBe(1);
	});

	test("ends a delivery that waits for its turn, and leaves the others alone", async () => {
		let release = () => {};
		const gate = new Promise<void>((resolve) => {
			release = resolve;
		});
		const { app, post } = await setUp({ script: () => gate.then(() => 200), channel: { maxConcurrency: 1 } });
		const abort = new AbortController();
		const [first, second, third] = [post(), post(abort.signal), post()];
		abort.abort();
		expect(await second).toEqual({ kind: "none" });
		release();
		expect(await first).toEqual({ kind: "accepted" });
		expect(await third).toEqual({ kind: "accepted" });
		expect(app.requests).toHaveLength(2);
	});

	test("before the call asks nobody", async () => {
		const { app, post } = await setUp();
		expect(await post(AbortSignal.abort())).toEqual({ kind: "none" });
		expect(app.requests).toHaveLength(0);
	});

	test("closing the channel ends what is under way and what waits, and nothing is sent any more", async () => {
		const { app, channel, post } = await setUp({ script: () => "hang", channel: { maxConcurrency: 1 } });
		const verdicts = Promise.all([post(), post()]);
		await eventually(() => expect(app.requests).toHaveLength(1));
		await Promise.all([channel.close(), channel.close()]);
		expect(await verdicts).toEqual([{ kind: "none" }, { kind: "none" }]);
		expect(await post()).toEqual({ kind: "none" });
		expect(app.requests).toHaveLength(1);
	});
});

describe("app-max-concurrency", () => {
	test("limits the requests at the app; all are answered", async () => {
		const { app, channel, post } = await setUp({ script: () => ({ delayMs: 2 }), channel: { maxConcurrency: 3 } });
		const posts = Array.from({ length: 40 }, () => post());
		const asked = channel.isSubscribed("o", "o", new AbortController().signal);
		for (const verdict of await Promise.all(posts)) expect(verdict).toEqual({ kind: "accepted" });
		expect(await asked).toBe(true);
		expect(app.maxConcurrency).toBe(3);
		expect(app.connections).toBe(3);
	});

	test.each([undefined, 0, -1])("%s is no limit that 200 events would feel", async (maxConcurrency) => {
		let arrived = 0;
		let release = () => {};
		const all = new Promise<void>((resolve) => {
			release = resolve;
		});
		const script = async () => {
			if (++arrived === 200) release();
			await all;
			return 200;
		};
		const { app, post } = await setUp({ script, channel: { maxConcurrency } });
		await Promise.all(Array.from({ length: 200 }, () => post()));
		expect(app.maxConcurrency).toBe(200);
	});
});

describe("asking the app", () => {
	const ask = (channel: AppChannel, signal = new AbortController().signal) => channel.isSubscribed("o", "in/o", signal);

	test("is OPTIONS on the route with JSON's media type and the token", async () => {
		const { app, channel } = await setUp({ channel: { appToken: "secret" } });
		await ask(channel);
		expect(app.requests[0]).toMatchObject({
			method: "OPTIONS",
			path: "/in/o",
			headers: { "content-type": "application/json", "dapr-api-token": "secret" },
		});
	});

	test.each([
		[200, true],
		[204, true],
		[405, true],
		[302, false],
		[404, false],
		[500, false],
		[503, false],
	])("%i means %s", async (status, expected) => {
		const { channel } = await setUp({ script: () => status });
		expect(await ask(channel)).toBe(expected);
	});

	test("an app that takes too long gave no answer", async () => {
		const { channel } = await setUp({ script: () => "hang", channel: { optionsTimeoutMs: 30 } });
		const error = await ask(channel).catch((error: unknown) => error);
		expect(error).toBeInstanceOf(AppError);
		expect(error).toMatchObject({ outcome: "none", message: expect.stringContaining("within 30 ms") });
	});

	test.each<[AppAnswer, string]>([
		["crash", "crashed"],
		["reset", "failed"],
		[{ raw: "nonsense\r\n\r\n", end: "close" }, "failed"],
	])("%j is no answer: %s", async (answer, outcome) => {
		const { channel } = await setUp({ script: () => answer });
		await expect(ask(channel)).rejects.toMatchObject({ code: "ERR_APP", outcome });
	});

	test("an app that does not listen is unreachable", async () => {
		const channel = openChannel({ port: await closedPort() });
		await expect(ask(channel)).rejects.toMatchObject({ code: "ERR_APP", outcome: "unreachable" });
	});

	test("ends when it is aborted", async () => {
		const { app, channel } = await setUp({ script: () => "hang" });
		const abort = new AbortController();
		const asked = ask(channel, abort.signal);
		await eventually(() => expect(app.requests).toHaveLength(1));
		abort.abort();
		await expect(asked).rejects.toMatchObject({ code: "ERR_APP", outcome: "none" });
	});
});

describe("asking the app whether it is well", () => {
	const { signal } = new AbortController();

	test("is GET on /healthz, without the token", async () => {
		const { app, channel } = await setUp({ channel: { appToken: "secret" } });
		expect(await channel.isHealthy(signal)).toBe(true);
		expect(channel.healthError).toBeUndefined();
		expect(app.requests).toMatchObject([{ method: "GET", path: "/healthz" }]);
		expect(app.requests[0]?.body).toHaveLength(0);
		expect(JSON.stringify(app.requests[0]?.headers)).not.toContain("secret");
	});

	test.each([
		["health/", "/health/"],
		["/a b?deep=1", "/a%20b?deep=1"],
		["//evil.example/x", "//evil.example/x"],
		["@evil.example", "/@evil.example"],
	])("on path %j asks for %j", async (healthPath, path) => {
		const { app, channel } = await setUp({ channel: { healthPath } });
		expect(await channel.isHealthy(signal)).toBe(true);
		expect(app.requests).toMatchObject([{ path }]);
	});

	test.each<[AppAnswer, boolean]>([
		[204, true],
		[299, true],
		[{ earlyHints: true }, true],
		[{ body: Buffer.alloc(1 << 20) }, true],
		[{ raw: "HTTP/1.0 200 OK\r\n\r\nwell", end: "close" }, true],
		[300, false],
		[{ status: 302, headers: { location: "/ok" } }, false],
		[404, false],
		[503, false],
		["close", false],
		["reset", false],
		[{ raw: "SMTP ready\r\n", end: "hang" }, false],
		[{ raw: "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello", end: "close" }, false],
		[{ raw: "HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n", end: "hang" }, false],
	])("%j means %s", async (answer, expected) => {
		const { app, channel } = await setUp({ script: () => answer });
		expect(await channel.isHealthy(signal)).toBe(expected);
		expect(app.requests).toHaveLength(1);
	});

	test("says why not, without the query", async () => {
		const script = inTurn(404, "reset");
		const { channel } = await setUp({ script, channel: { healthPath: "/up?token=secret" } });
		await channel.isHealthy(signal);
		expect(channel.healthError).toBe("GET /up answered 404");
		await channel.isHealthy(signal);
		expect(channel.healthError).toMatch(/^GET \/up failed: ./);
		await channel.isHealthy(signal);
		expect(channel.healthError).toBeUndefined();
	});

	test.each<[string, AppAnswer]>([
		["nothing", "hang"],
		["half an answer", { raw: "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello", end: "hang" }],
	])("gets a no from an app that answers %s in time, and leaves no connection", async (_, answer) => {
		const { app, channel } = await setUp({ script: () => answer, channel: { healthTimeoutMs: 30 } });
		expect(await channel.isHealthy(signal)).toBe(false);
		expect(channel.healthError).toBe("GET /healthz failed: no answer within 30 ms");
		await eventually(() => expect(app.concurrency).toBe(0));
	});

	test("gets a no where nobody listens", async () => {
		const channel = openChannel({ port: await closedPort() });
		expect(await channel.isHealthy(signal)).toBe(false);
		expect(channel.healthError).toContain("ECONNREFUSED");
	});

	test("ends when it is aborted", async () => {
		const { app, channel } = await setUp({ script: () => "hang", channel: { healthTimeoutMs: 60_000 } });
		const abort = new AbortController();
		const asked = channel.isHealthy(abort.signal);
		await eventually(() => expect(app.requests).toHaveLength(1));
		abort.abort();
		expect(await asked).toBe(false);
		expect(await channel.isHealthy(abort.signal)).toBe(false);
	});

	test("waits behind no delivery and counts for no limit", async () => {
		const script: AppScript = ({ method }) => (method === "POST" ? "hang" : 200);
		const { app, channel, post } = await setUp({ script, channel: { maxConcurrency: 1 } });
		void post();
		await eventually(() => expect(app.posts).toHaveLength(1));
		expect(await channel.isHealthy(signal)).toBe(true);
	});

	test("takes a connection of its own each time, as an idle one may be closed at any moment", async () => {
		const { app, channel } = await setUp();
		for (let index = 0; index < 3; index++) expect(await channel.isHealthy(signal)).toBe(true);
		expect(app.requests.map(({ connection }) => connection)).toEqual([1, 2, 3]);
	});

	test("goes over TLS without a check of the certificate", async () => {
		const authority = await createCa();
		const tls = await authority.issue({ dnsNames: ["elsewhere.example"] });
		const { channel } = await setUp({ app: { tls }, channel: { protocol: "https" } });
		expect(await channel.isHealthy(signal)).toBe(true);
	});
});

describe("the app's port", () => {
	test("is waited for until it is open", async () => {
		const port = await closedPort();
		const channel = openChannel({ port });
		let open = false;
		const waiting = channel.waitForPort(new AbortController().signal).then(() => {
			open = true;
		});
		await eventually(() => expect(channel.connectError).toContain("ECONNREFUSED"));
		expect(open).toBe(false);
		expect(await channel.isPortOpen()).toBe(false);
		await using _app = await HttpApp.start(undefined, { port });
		await waiting;
		expect(await channel.isPortOpen()).toBe(true);
		expect(channel.connectError).toBeUndefined();
	});

	test("is waited for no longer than wanted", async () => {
		const channel = openChannel({ port: await closedPort() });
		const abort = new AbortController();
		const waiting = channel.waitForPort(abort.signal);
		await eventually(() => expect(channel.connectError).toBeDefined());
		abort.abort();
		await expect(waiting).rejects.toThrow();
	});

	test("a connection is held until the app ends it, or the wait is given up", async () => {
		const app = await HttpApp.start(undefined, { port: await closedPort() });
		const channel = openChannel({ port: app.port });
		const abort = new AbortController();
		const givenUp = channel.untilHangUp(abort.signal);
		let ended = false;
		const hungUp = channel.untilHangUp(new AbortController().signal).then(() => {
			ended = true;
		});
		expect(await channel.isPortOpen()).toBe(true);
		abort.abort();
		await expect(givenUp).rejects.toThrow();
		expect(ended).toBe(false);
		await app[Symbol.asyncDispose]();
		await hungUp;
		await channel.untilHangUp(new AbortController().signal);
	});

	test("that takes connections but speaks no TLS is not the port of an https app", async () => {
		const { channel } = await setUp({ channel: { protocol: "https" } });
		const abort = new AbortController();
		const waiting = channel.waitForPort(abort.signal);
		await eventually(() => expect(channel.connectError).toBeDefined());
		abort.abort();
		await expect(waiting).rejects.toThrow();
	});
});

test("a token that can't be a header is refused without being shown", () => {
	const create = () => createHttpChannel({ host: "127.0.0.1", port: 1, appToken: "canary\n" });
	expect(create).toThrow(ConfigurationError);
	expect(create).not.toThrow(/canary/);
});

async function listening(server: Server, host: string): Promise<number> {
	server.listen(0, host);
	await once(server, "listening");
	onTestFinished(() => void server.close());
	return (server.address() as { port: number }).port;
}

/** An app in a process of its own that answers nothing and can be killed. */
async function startSilentApp() {
	const program = `
		let requests = 0;
		require("node:http").createServer(() => process.send(++requests))
			.listen(0, "127.0.0.1", function () { process.send({ port: this.address().port }); });`;
	const child = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
	onTestFinished(() => void child.kill("SIGKILL"));
	let requests = 0;
	child.on("message", (message) => {
		if (typeof message === "number") requests = message;
	});
	const [{ port }] = (await once(child, "message")) as [{ port: number }];
	return {
		port,
		hasRequests: (count: number) => eventually(() => expect(requests).toBe(count)),
		kill: () => child.kill("SIGKILL"),
	};
}
