import { connect, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { describe, expect, test } from "vitest";
import { eventually } from "../../test/support/eventually.js";
import { exchange, statusesIn } from "../../test/support/raw-http.js";
import { startApi } from "../../test/support/start-api.js";
import { RequestBudget } from "./request-budget.js";

const CREATE = '{"operation":"create","data":1}';
const POST = "POST /v1.0/bindings/orders HTTP/1.1\r\nHost: localhost\r\n";
const GET = "GET /v1.0/healthz HTTP/1.1\r\nHost: localhost\r\n";

function chunked(...chunks: readonly string[]): string {
	return [...chunks, ""].map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join("");
}

function open(port: number, text: string): Promise<Socket> {
	return new Promise((resolve, reject) => {
		const socket = connect(port, "127.0.0.1", () => resolve(socket.off("error", reject).on("error", () => undefined)));
		socket.once("error", reject);
		socket.write(text);
	});
}

describe("every answer", () => {
	test("says nosniff, no-store, same-origin, and nothing of CORS", async () => {
		await using api = await startApi({ token: { value: "x" } });
		const headers = { "dapr-api-token": "x" };
		const answers = [
			await api.post("orders", CREATE, headers),
			await api.post("orders", "{", headers),
			await api.post("orders", CREATE),
			await api.fetch("/v1.0/metadata", { headers }),
			await api.fetch("/nowhere", { headers }),
			await api.fetch("/v1.0/healthz", { headers: { "sec-fetch-site": "cross-site" } }),
		];
		expect(answers.map(({ status }) => status)).toEqual([204, 400, 401, 200, 404, 403]);
		for (const answer of answers) {
			expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
			expect(answer.headers.get("cache-control")).toBe("no-store");
			expect(answer.headers.get("cross-origin-resource-policy")).toBe("same-origin");
			expect([...answer.headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
		}
	});
});

describe("F-61, F-62: web pages", () => {
	const PATHS = [
		"/v1.0/bindings/orders",
		"/v1.0/healthz",
		"/v1.0/healthz/ready",
		"/v1.0/metadata",
		"/v1.0/shutdown",
		"/x",
	];

	test.each(PATHS)("%s is closed to a page of another origin and to a name that was rebound", async (path) => {
		await using api = await startApi();
		for (const [headers, status] of [
			["Host: localhost\r\nOrigin: https://evil.example\r\nContent-Type: text/plain", 403],
			["Host: localhost\r\nSec-Fetch-Site: cross-site", 403],
			["Host: evil.example", 421],
			["Host: evil.example\r\nConnection: Upgrade\r\nUpgrade: websocket", 421],
		] as const) {
			for (const method of ["GET", "POST"]) {
				const request = `${method} ${path} HTTP/1.1\r\n${headers}\r\nContent-Length: 0\r\n\r\n`;
				expect(statusesIn(await exchange(api.port, request, { until: /\n$/ }))).toEqual([status]);
			}
		}
		expect([api.runtime.invocations, api.shutdowns]).toEqual([[], []]);
	});

	test("a page of an allowed origin may ask first, and may write with JSON and token", async () => {
		const origin = "https://shop.example";
		await using api = await startApi({ allowedOrigins: [origin], token: { value: "x" } });
		const preflight = await api.fetch("/v1.0/bindings/orders", { method: "OPTIONS", headers: { origin } });
		expect(preflight.status).toBe(204);
		expect(preflight.headers.get("access-control-allow-origin")).toBe(origin);
		expect(preflight.headers.get("access-control-allow-headers")).toContain("dapr-api-token");
		expect(preflight.headers.get("vary")).toBe("Origin");
		const headers = { origin, "content-type": "application/json", "dapr-api-token": "x" };
		const written = await api.post("orders", CREATE, headers);
		expect([written.status, written.headers.get("access-control-allow-origin")]).toEqual([204, origin]);
		expect((await api.post("orders", CREATE, { ...headers, "content-type": "text/plain" })).status).toBe(403);
		expect((await api.post("orders", CREATE, { ...headers, "dapr-api-token": "y" })).status).toBe(401);
	});
});

describe("T15: what is read two ways is not read", () => {
	test.each([
		["Content-Length and Transfer-Encoding", `Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n${chunked("{}")}`],
		["Transfer-Encoding and Content-Length", `Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n${chunked("{}")}`],
		["two Content-Lengths", `Content-Length: 2\r\nContent-Length: 5\r\n\r\n{}`],
		["a Content-Length list", `Content-Length: 2, 2\r\n\r\n{}`],
		["a signed Content-Length", `Content-Length: +2\r\n\r\n{}`],
		["gzip and chunked", `Transfer-Encoding: gzip, chunked\r\n\r\n${chunked("{}")}`],
		["chunked twice", `Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n${chunked("{}")}`],
		["an unknown coding", "Transfer-Encoding: xchunked\r\n\r\n{}"],
		["a blank before the colon", `Transfer-Encoding : chunked\r\n\r\n${chunked("{}")}`],
		["a folded header", `X: a\r\n b\r\nContent-Length: 2\r\n\r\n{}`],
		["a bare line feed", `X: a\nContent-Length: 2\r\n\r\n{}`],
		["two Hosts", `Host: evil.example\r\nContent-Length: 2\r\n\r\n{}`],
		["a chunk size that is no number", "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"],
	])("%s: one 400, and what follows is not taken for a request", async (_what, rest) => {
		await using api = await startApi();
		const statuses = statusesIn(await exchange(api.port, `${POST}${rest}${GET}\r\n`, { timeoutMs: 5_000 }));
		expect(statuses).toEqual([400]);
		expect(api.runtime.invocations).toEqual([]);
	});
});

describe("T14, F-63: limits", () => {
	test("a body of exactly the limit is taken, however it comes; one byte more is 400 with daprd's code", async () => {
		const limit = 100_000;
		await using api = await startApi({ maxBodySize: limit });
		const body = (size: number) => CREATE.replace("1}", `"${"x".repeat(size - CREATE.length - 1)}"}`);
		expect(body(limit)).toHaveLength(limit);
		expect((await api.post("orders", body(limit))).status).toBe(204);
		const head = `${POST}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n`;
		const pieces = (text: string) => chunked(...(text.match(/.{1,1000}/gs) ?? []));
		expect(statusesIn(await exchange(api.port, head + pieces(body(limit))))).toEqual([204]);
		expect(api.runtime.invocations.map(({ data }) => data.byteLength)).toEqual([99_970, 99_970]);

		const tooLarge = await exchange(api.port, head + pieces(body(limit + 1)));
		expect(statusesIn(tooLarge)).toEqual([400]);
		const message = `failed deserializing HTTP body: body is larger than ${limit} bytes`;
		expect(tooLarge).toContain(`{"errorCode":"ERR_MALFORMED_REQUEST","message":"${message}"}`);
		expect((await api.post("orders", body(limit + 1))).status).toBe(400);
		expect(api.runtime.invocations).toHaveLength(2);
	});

	test("without a limit of its own a body may be as long as MQTT can carry, whatever length is announced", async () => {
		await using api = await startApi({ maxBodySize: Number.POSITIVE_INFINITY });
		expect((await api.post("orders", CREATE)).status).toBe(204);
		const socket = await open(api.port, `${POST}Content-Length: 9000000000000000\r\n\r\n{`);
		let received = "";
		socket.on("data", (chunk) => (received += chunk));
		socket.write(" ");
		await eventually(() => expect(received).toContain("body is larger than 268435456 bytes"));
		expect((await api.post("orders", CREATE)).status).toBe(204);
		socket.destroy();
	});

	test("a body in chunks of one byte arrives whole", async () => {
		await using api = await startApi();
		const request = `${POST}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n${chunked(...CREATE)}`;
		expect(statusesIn(await exchange(api.port, request))).toEqual([204]);
		expect(Buffer.from(api.runtime.invocations[0]?.data ?? []).toString()).toBe("1");
	});

	test("an announced body over the limit is refused before a byte of it is read, also where the caller asks first", async () => {
		await using api = await startApi();
		const announced = `${POST}Content-Length: ${5 * 1024 * 1024}\r\n`;
		for (const head of [announced, `${announced}Expect: 100-continue\r\n`]) {
			const received = await exchange(api.port, `${head}\r\n`);
			expect(statusesIn(received)).toEqual([400]);
			expect(received).toContain("connection: close".replace("c", "C"));
		}
	});

	test("a caller who asks first is told to go on", async () => {
		await using api = await startApi();
		const socket = await open(api.port, `${POST}Content-Length: ${CREATE.length}\r\nExpect: 100-continue\r\n\r\n`);
		let received = "";
		socket.on("data", (chunk) => {
			received += chunk;
			if (received === "HTTP/1.1 100 Continue\r\n\r\n") socket.write(CREATE);
		});
		await eventually(() => expect(statusesIn(received)).toEqual([100, 204]));
		socket.destroy();
	});

	test.each([
		["to the binding", POST],
		["without the token", POST.replace("localhost", "localhost\r\nX: 1")],
		["to nowhere", POST.replace("bindings", "nothing")],
	])("an endless body %s is cut off after the answer and a bounded rest", async (what, head) => {
		await using api = await startApi({
			maxBodySize: 100_000,
			...(what === "without the token" && { token: { value: "x" } }),
		});
		const socket = await open(api.port, `${head}Transfer-Encoding: chunked\r\n\r\n`);
		let received = "";
		socket.on("data", (chunk) => (received += chunk));
		const closed = new Promise((resolve) => socket.on("close", resolve));
		const piece = `10000\r\n${"x".repeat(65_536)}\r\n`;
		const pump = () => {
			while (!socket.destroyed && socket.write(piece));
		};
		socket.on("drain", pump);
		pump();
		await closed;
		expect(statusesIn(received)).toHaveLength(1);
		expect(statusesIn(received)[0]).toBeGreaterThanOrEqual(400);
		expect(socket.bytesWritten).toBeLessThan(16 * 1024 * 1024);
		expect((await api.fetch("/v1.0/healthz")).status).toBe(204);
	});

	test("headers over the limit: 431, by bytes and by number", async () => {
		await using api = await startApi();
		const header = (count: number, size: number) => `X-Y: ${"x".repeat(size)}\r\n`.repeat(count);
		expect(statusesIn(await exchange(api.port, `${GET}${header(1, 9_000)}\r\n`))).toEqual([431]);
		expect(statusesIn(await exchange(api.port, `GET /${"x".repeat(9_000)} HTTP/1.1\r\n`))).toEqual([431]);
		const close = "Connection: close\r\n\r\n";
		expect(statusesIn(await exchange(api.port, `${GET}${header(98, 1)}${close}`))).toEqual([204]);
		expect(statusesIn(await exchange(api.port, `${GET}${header(99, 1)}${close}`))).toEqual([431]);
	});

	test("beyond the bound of open requests: 503 with Retry-After, while health still answers", async () => {
		await using api = await startApi({ budget: new RequestBudget(2) });
		const settle: (() => void)[] = [];
		api.runtime.answer = () => new Promise((resolve) => settle.push(() => resolve(undefined)));
		const open = [api.post("orders", CREATE), api.post("orders", CREATE)];
		await eventually(() => expect(settle).toHaveLength(2));
		const third = await api.post("orders", CREATE);
		expect([third.status, third.headers.get("retry-after")]).toEqual([503, "1"]);
		expect(await third.json()).toMatchObject({ errorCode: "ERR_INVOKE_OUTPUT_BINDING" });
		expect((await api.fetch("/v1.0/healthz")).status).toBe(204);
		for (const go of settle) go();
		expect((await Promise.all(open)).map(({ status }) => status)).toEqual([204, 204]);
		const fourth = api.post("orders", CREATE);
		await eventually(() => expect(settle).toHaveLength(3));
		settle[2]?.();
		expect((await fourth).status).toBe(204);
	});

	test("callers that leave in the middle of a body give their place back", async () => {
		await using api = await startApi({ budget: new RequestBudget(2) });
		for (let i = 0; i < 5; i++) {
			const half = [
				await open(api.port, `${POST}Content-Length: 90\r\n\r\n{`),
				await open(api.port, `${POST}Content-Length: 90\r\n\r\n{`),
			];
			await eventually(async () => expect((await api.post("orders", CREATE)).status).toBe(503));
			for (const socket of half) socket.destroy();
			await eventually(async () => expect((await api.post("orders", CREATE)).status).toBe(204));
		}
	});

	test("many pipelined requests are answered one by one, in order", async () => {
		await using api = await startApi();
		const count = 20_000;
		const received = await exchange(
			api.port,
			`${`${GET}\r\n`.repeat(count)}${GET.replace("healthz", "x")}Connection: close\r\n\r\n`,
			{
				timeoutMs: 20_000,
			},
		);
		const statuses = statusesIn(received);
		expect(statuses).toHaveLength(count + 1);
		expect([new Set(statuses.slice(0, -1)), statuses.at(-1)]).toEqual([new Set([204]), 404]);
	});

	test("callers that never finish headers or body get 408, idle ones are closed, and nobody else waits", async () => {
		const timeouts = { headersMs: 200, uploadMs: 400, keepAliveMs: 100, checkMs: 20 };
		await using api = await startApi({ timeouts });
		const half = [
			...Array.from({ length: 300 }, () => "GET / HTTP/1.1\r\nX: "),
			...Array.from({ length: 50 }, () => `${POST}Content-Length: 9\r\n\r\n{`),
		];
		const slow = Promise.all(half.map((text) => exchange(api.port, text)));
		expect((await api.post("orders", CREATE)).status).toBe(204);
		expect(new Set((await slow).flatMap(statusesIn))).toEqual(new Set([408]));
		expect(statusesIn(await exchange(api.port, `${GET}\r\n`))).toEqual([204]);
	});

	test("an invocation may take longer than an upload", async () => {
		await using api = await startApi({ timeouts: { headersMs: 500, uploadMs: 500, keepAliveMs: 50, checkMs: 20 } });
		api.runtime.answer = () => new Promise((resolve) => setTimeout(() => resolve(undefined), 1_200));
		expect((await api.post("orders", CREATE)).status).toBe(204);
	});
});

describe("T29: shutdown", () => {
	test("a web page can't ask for it", async () => {
		await using api = await startApi();
		const response = await api.fetch("/v1.0/shutdown", {
			method: "POST",
			headers: { "sec-fetch-site": "same-origin" },
		});
		expect([response.status, api.shutdowns]).toEqual([403, []]);
	});

	test("without a token nobody can ask for it who comes in over another address than loopback", async ({ skip }) => {
		const address = Object.values(networkInterfaces())
			.flat()
			.find((found) => found?.family === "IPv4" && !found.internal)?.address;
		if (address === undefined) return skip("this machine has no address but loopback");
		for (const [token, status] of [
			[undefined, 403],
			[{ value: "x" }, 204],
		] as const) {
			await using api = await startApi({ listenAddresses: [address], allowUnauthenticated: true, token });
			const response = await api.fetch("/v1.0/shutdown", { method: "POST", headers: { "dapr-api-token": "x" } });
			expect(response.status).toBe(status);
			await eventually(() => expect(api.shutdowns).toHaveLength(status === 204 ? 1 : 0));
		}
	});
});
