import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { eventually } from "../../test/support/eventually.js";
import { type Http2Answer, Http2App, type Http2AppOptions, type Http2Script } from "../../test/support/http2-app.js";
import { FRAME, headerBlock, http2Frame } from "../../test/support/http2-frames.js";
import type { ReadResponse } from "../bindings/binding.js";
import { ConfigurationError } from "../errors.js";
import type { AppChannel, AppVerdict } from "./app-channel.js";
import { createH2cChannel } from "./h2c-channel.js";
import type { HttpChannelOptions } from "./http-channel.js";

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
	readonly script?: Http2Script;
	readonly app?: Http2AppOptions;
	readonly channel?: Partial<HttpChannelOptions>;
} = {}): Promise<{ app: Http2App; channel: AppChannel; post: (signal?: AbortSignal) => Promise<AppVerdict> }> {
	const app = await Http2App.start(script, appOptions);
	onTestFinished(() => app[Symbol.asyncDispose]());
	const channel = openChannel({ port: app.port, ...channelOptions });
	const { signal } = new AbortController();
	return { app, channel, post: (own = signal) => channel.sendBindingEvent("orders", "orders", event, own) };
}

function openChannel(options: Partial<HttpChannelOptions> & { readonly port: number }): AppChannel {
	const channel = createH2cChannel({ host: "127.0.0.1", ...options });
	onTestFinished(() => channel.close());
	return channel;
}

/** A port on which nobody listens. */
async function closedPort(): Promise<number> {
	const app = await Http2App.start();
	await app[Symbol.asyncDispose]();
	return app.port;
}

/** Answers each of the first requests with the next of these, and everything later with 200. */
function inTurn(...answers: readonly Http2Answer[]): Http2Script {
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
			":authority": channel.address,
			":scheme": "http",
		});
		expect(request?.headers).not.toHaveProperty("other");
	});

	test("carries a Unicode topic as its UTF-8 bytes", async () => {
		const { app, channel } = await setUp();
		const metadata = { topic: "größe 😀" };
		await channel.sendBindingEvent("o", "o", { ...event, metadata }, new AbortController().signal);
		expect(Buffer.from(String(app.requests[0]?.headers.topic), "latin1").toString()).toBe("größe 😀");
	});

	test("of one topic has its own length and path, whatever the one before had", async () => {
		const { app, channel } = await setUp();
		const { signal } = new AbortController();
		for (const [route, data] of [
			["a", Buffer.from("1")],
			["a", Buffer.from("22")],
			["b", new Uint8Array()],
		] as const) {
			expect(await channel.sendBindingEvent("o", route, { ...event, data }, signal)).toEqual({ kind: "accepted" });
		}
		const seen = app.requests.map(({ path, headers, body }) => [path, headers["content-length"], body.toString()]);
		expect(seen).toEqual([
			["/a", "1", "1"],
			["/a", "2", "22"],
			["/b", "0", ""],
		]);
	});

	test("of 4 MiB arrives byte for byte", async () => {
		const { app, channel } = await setUp();
		const data = Buffer.alloc(4 << 20, "0123456789");
		await channel.sendBindingEvent("o", "o", { ...event, data }, new AbortController().signal);
		expect(app.requests[0]?.body.equals(data)).toBe(true);
	});

	test("shares one connection with all others", async () => {
		const { app, post } = await setUp();
		await Promise.all(Array.from({ length: 50 }, () => post()));
		await post();
		expect(app.connections).toBe(1);
	});
});

describe("F-38: the app's answer", () => {
	test.each<[string, Http2Answer]>([
		["200", 200],
		["201 with a body", { status: 201, body: "created" }],
		["204", 204],
		["103 and then 200", { earlyHints: true }],
		["200 with a body of 5 MiB", { body: Buffer.alloc(5 << 20) }],
		["200 with trailers", { body: "x", trailers: { checksum: "1" } }],
		["200 after a while", { delayMs: 50 }],
		["200 after GOAWAY", { goaway: true, delayMs: 20 }],
	])("%s accepts", async (_, answer) => {
		const { post } = await setUp({ script: () => answer });
		expect(await post()).toEqual({ kind: "accepted" });
	});

	test.each([301, 400, 404, 405, 409, 500, 503])("%i is a failed attempt", async (status) => {
		const { app, post } = await setUp({ script: () => ({ status, headers: { location: "/elsewhere" } }) });
		const verdict = await post();
		expect(verdict).toMatchObject({ kind: "failed", status, error: { code: "ERR_APP", outcome: "failed", status } });
		expect(verdict).not.toHaveProperty("retryAfterMs");
		expect(app.requests).toHaveLength(1);
	});

	test.each<[number, string, number | undefined]>([
		[429, "7", 7_000],
		[503, "0", 0],
		[503, "nonsense", undefined],
		[500, "7", undefined],
	])("%i with retry-after %s asks for a delay of %s ms", async (status, value, retryAfterMs) => {
		const { post } = await setUp({ script: () => ({ status, headers: { "retry-after": value } }) });
		const verdict = await post();
		expect(verdict.kind === "failed" && verdict.retryAfterMs).toBe(retryAfterMs);
	});

	test.each<[string, Http2Answer]>([
		["whose stream is reset", { rst: 2 }],
		["whose stream is cancelled", { rst: 8 }],
		["that ends before its headers", { rst: 0 }],
		["whose stream is reset in the body", { body: "hel", end: { rst: 2 } }],
		[
			"that is given up in a body of known length",
			{ headers: { "content-length": "9" }, body: "hel", end: { rst: 0 } },
		],
		["whose connection ends in the body", { body: "hel", end: "close" }],
		["whose connection is reset in the body", { body: "hel", end: "reset" }],
		["with fewer bytes than it said", { headers: { "content-length": "10" }, body: "hello" }],
	])("a response %s is a failed attempt while the port is open", async (_, answer) => {
		const { app, post } = await setUp({ script: inTurn(200, answer) });
		await post();
		const verdict = await post();
		expect(verdict).toMatchObject({ kind: "failed", error: { code: "ERR_APP", outcome: "failed" } });
		expect(verdict).not.toHaveProperty("status");
		expect(app.requests).toHaveLength(2);
		expect(await post()).toEqual({ kind: "accepted" });
	});
});

describe("a stream that the app resets without having ended it", () => {
	const status = [":status", "200"] as const;
	test.each<[string, readonly (readonly [string, string])[], number, AppVerdict["kind"]]>([
		["accepts when the body is whole by its length", [status, ["content-length", "5"]], 0, "accepted"],
		[
			"accepts when the body is whole by its length, whatever the code",
			[status, ["content-length", "5"]],
			8,
			"accepted",
		],
		["is a failed attempt when the body is too short", [status, ["content-length", "6"]], 0, "failed"],
		["is a failed attempt when the body's length is not known and there is an error", [status], 2, "failed"],
	])("%s", async (_, fields, code, kind) => {
		const server = createServer((socket) => {
			socket.on("error", () => {});
			socket.write(http2Frame(FRAME.settings, 0, 0));
			socket.on("data", (data) => {
				if (!data.includes("21.5")) return;
				socket.write(http2Frame(FRAME.headers, 4, 1, headerBlock(fields)));
				socket.write(http2Frame(FRAME.data, 0, 1, Buffer.from("hello")));
				socket.write(http2Frame(FRAME.rstStream, 0, 1, Buffer.of(0, 0, 0, code)));
			});
		});
		const channel = openChannel({ port: await listening(server) });
		const { signal } = new AbortController();
		expect((await channel.sendBindingEvent("o", "o", event, signal)).kind).toBe(kind);
	});
});

describe("a connection that ends without an answer", () => {
	test.each<Http2Answer>(["close", "reset", "goaway with error"])(
		"(%s) is a failed attempt when it was new and the port is open",
		async (end) => {
			const { app, post } = await setUp({ script: () => end });
			expect(await post()).toMatchObject({ kind: "failed" });
			expect(app.requests).toHaveLength(1);
		},
	);

	test.each<Http2Answer>(["close", "reset", "goaway with error"])(
		"(%s) is no attempt when it was used before: sent again at once on a new one",
		async (end) => {
			const { app, post } = await setUp({ script: inTurn(200, end, 200) });
			await post();
			expect(await post()).toEqual({ kind: "accepted" });
			expect(app.requests.map(({ connection }) => connection)).toEqual([1, 1, 3]);
			expect(app.requests[2]?.body).toEqual(event.data);
		},
	);

	test("twice in a row for one message is a failed attempt, also when others have used the new one by then", async () => {
		const other = Buffer.from("other");
		let isFirst = true;
		const script: Http2Script = async ({ body, onConnection }) => {
			if (isFirst || body.equals(other)) {
				isFirst = false;
				return 200;
			}
			if (onConnection > 1) return "reset";
			// The one that is sent again gets its end after somebody else was served here.
			await channel.sendBindingEvent("o", "o", { ...event, data: other }, new AbortController().signal);
			return "reset";
		};
		const { app, channel, post } = await setUp({ script });
		await post();
		expect(await post()).toMatchObject({ kind: "failed" });
		expect(app.requests.filter(({ body }) => body.equals(event.data))).toHaveLength(3);
	});

	test("and the port closed is a crash, also when it was used before", async () => {
		const { post } = await setUp({ script: inTurn(200, "crash") });
		await post();
		expect(await post()).toEqual({ kind: "none", crashed: true });
		expect(await post()).toEqual({ kind: "unreachable" });
	});

	test("and the port closed is a crash, also in the middle of the answer", async () => {
		const { post } = await setUp({ script: () => ({ body: "hel", end: "crash" }) });
		expect(await post()).toEqual({ kind: "none", crashed: true });
	});

	test("a stream that the app refuses unseen is sent again, once", async () => {
		const refused = { rst: 7 };
		const { app, post } = await setUp({ script: inTurn(refused, 200, refused, refused) });
		expect(await post()).toEqual({ kind: "accepted" });
		expect(await post()).toMatchObject({ kind: "failed" });
		expect(app.requests).toHaveLength(4);
	});

	test("because the app says GOAWAY after each answer costs no attempt, however often", async () => {
		const { app, post } = await setUp({ script: () => ({ goaway: true }) });
		for (let round = 0; round < 10; round++) {
			const verdicts = await Promise.all(Array.from({ length: 5 }, () => post()));
			for (const verdict of verdicts) expect(verdict).toEqual({ kind: "accepted" });
		}
		expect(app.connections).toBeGreaterThan(5);
	});
});

describe("F-85: an app", () => {
	test("that does not listen is unreachable", async () => {
		const channel = openChannel({ port: await closedPort() });
		const { signal } = new AbortController();
		expect(await channel.sendBindingEvent("o", "o", event, signal)).toEqual({ kind: "unreachable" });
		expect(await channel.isPortOpen()).toBe(false);
		expect(channel.connectError).toContain("ECONNREFUSED");
	});

	test.each<[string, (server: Server) => void]>([
		[
			"speaks HTTP/1.1",
			(server) =>
				server.on("connection", (socket) => {
					socket.on("error", () => {});
					socket.once("data", () => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
				}),
		],
		["ends every connection", (server) => server.on("connection", (socket) => void socket.resume().end())],
	])("that %s is unreachable and the reason is said: nothing was consumed", async (_, play) => {
		const server = createServer();
		play(server);
		const channel = openChannel({ port: await listening(server) });
		const { signal } = new AbortController();
		expect(await channel.sendBindingEvent("o", "o", event, signal)).toEqual({ kind: "unreachable" });
		expect(await channel.isPortOpen()).toBe(true);
		expect(channel.connectError).toMatch(/Protocol error|before it spoke HTTP\/2|ECONNRESET/);
	});

	test("that takes few requests at once gets no more, and all", async () => {
		const script: Http2Script = () => ({ delayMs: 1 });
		const { app, post } = await setUp({ script, app: { settings: { maxConcurrentStreams: 7 } } });
		const verdicts = await Promise.all(Array.from({ length: 200 }, () => post()));
		for (const verdict of verdicts) expect(verdict).toEqual({ kind: "accepted" });
		expect(app.maxConcurrency).toBeLessThanOrEqual(7);
		expect(app.requests).toHaveLength(200);
	});
});

describe("aborting", () => {
	test("ends a delivery under way without a verdict, and not the connection", async () => {
		const { app, post } = await setUp({ script: inTurn("hang", 200) });
		const abort = new AbortController();
		const verdict = post(abort.signal);
		await eventually(() => expect(app.requests).toHaveLength(1));
		abort.abort();
		expect(await verdict).toEqual({ kind: "none" });
		await eventually(() => expect(app.concurrency).toBe(0));
		expect(await post()).toEqual({ kind: "accepted" });
		expect(app.connections).toBe(1);
	});

	test("ends a delivery to an app that takes connections and says nothing, and makes room for the next", async () => {
		const server = createServer((socket) => void socket.resume().on("error", () => {}));
		const channel = openChannel({ port: await listening(server), maxConcurrency: 1 });
		for (let round = 0; round < 2; round++) {
			const abort = new AbortController();
			const verdict = channel.sendBindingEvent("o", "o", event, abort.signal);
			setImmediate(() => abort.abort());
			expect(await verdict).toEqual({ kind: "none" });
		}
	});

	test("closing the channel ends what is under way and what waits, and nothing is sent any more", async () => {
		const { app, channel, post } = await setUp({ script: () => "hang", channel: { maxConcurrency: 1 } });
		const verdicts = Promise.all([post(), post()]);
		await eventually(() => expect(app.requests).toHaveLength(1));
		await Promise.all([channel.close(), channel.close()]);
		expect(await verdicts).toEqual([{ kind: "none" }, { kind: "none" }]);
		expect(await post()).toEqual({ kind: "none" });
		expect(app.requests).toHaveLength(1);
		await eventually(() => expect(app.openConnections).toBe(0));
	});
});

test("app-max-concurrency limits the requests at the app", async () => {
	const { app, post } = await setUp({ script: () => ({ delayMs: 2 }), channel: { maxConcurrency: 3 } });
	for (const verdict of await Promise.all(Array.from({ length: 40 }, () => post()))) {
		expect(verdict).toEqual({ kind: "accepted" });
	}
	expect(app.maxConcurrency).toBe(3);
});

describe("asking the app", () => {
	const ask = (channel: AppChannel) => channel.isSubscribed("o", "in/o", new AbortController().signal);

	test("is OPTIONS on the route, with the token", async () => {
		const { app, channel } = await setUp({ script: inTurn(405, 404), channel: { appToken: "secret" } });
		expect(await ask(channel)).toBe(true);
		expect(app.requests[0]).toMatchObject({
			method: "OPTIONS",
			path: "/in/o",
			headers: { "content-type": "application/json", "dapr-api-token": "secret" },
		});
		expect(await ask(channel)).toBe(false);
	});

	test("an app that takes too long gave no answer", async () => {
		const { channel } = await setUp({ script: () => "hang", channel: { optionsTimeoutMs: 30 } });
		await expect(ask(channel)).rejects.toMatchObject({
			code: "ERR_APP",
			outcome: "none",
			message: expect.stringContaining("within 30 ms"),
		});
	});
});

describe("asking the app whether it is well", () => {
	const { signal } = new AbortController();

	test("is GET on the health path, without the token, each time on a connection of its own that ends", async () => {
		const { app, channel } = await setUp({ channel: { appToken: "secret", healthPath: "up?deep=1" } });
		for (let probe = 0; probe < 2; probe++) expect(await channel.isHealthy(signal)).toBe(true);
		expect(app.requests).toMatchObject([
			{ method: "GET", path: "/up?deep=1", connection: 1 },
			{ method: "GET", path: "/up?deep=1", connection: 2 },
		]);
		expect(JSON.stringify(app.requests[0]?.headers)).not.toContain("secret");
		await eventually(() => expect(app.openConnections).toBe(0));
	});

	test.each<[Http2Answer, RegExp]>([
		[404, /^GET \/up answered 404$/],
		[{ rst: 2 }, /^GET \/up failed: ./],
		["reset", /^GET \/up failed: ./],
		[{ body: "hel", end: "close" }, /^GET \/up failed: ./],
		["hang", /^GET \/up failed: no answer within 40 ms$/],
	])("%j is a no, and why is said without the query", async (answer, why) => {
		const channel = { healthPath: "/up?token=secret", healthTimeoutMs: 40 };
		const set = await setUp({ script: () => answer, channel });
		expect(await set.channel.isHealthy(signal)).toBe(false);
		expect(set.channel.healthError).toMatch(why);
		await eventually(() => expect(set.app.openConnections).toBe(0));
	});

	test("gets a no where nobody listens, and when it is aborted", async () => {
		const channel = openChannel({ port: await closedPort() });
		expect(await channel.isHealthy(signal)).toBe(false);
		expect(channel.healthError).toContain("ECONNREFUSED");
		expect(await channel.isHealthy(AbortSignal.abort())).toBe(false);
	});
});

test("a token that can't be a header is refused without being shown", () => {
	const create = () => createH2cChannel({ host: "127.0.0.1", port: 1, appToken: "canary\n" });
	expect(create).toThrow(ConfigurationError);
	expect(create).not.toThrow(/canary/);
});

async function listening(server: Server): Promise<number> {
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	onTestFinished(() => void server.close());
	return (server.address() as { port: number }).port;
}
