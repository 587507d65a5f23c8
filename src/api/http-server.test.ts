import { createServer } from "node:http";
import { describe, expect, test } from "vitest";
import { eventually } from "../../test/support/eventually.js";
import { exchange } from "../../test/support/raw-http.js";
import { READY, startApi } from "../../test/support/start-api.js";
import type { Cancellation } from "../bindings/binding.js";
import { ConfigurationError, PublishError } from "../errors.js";
import { type ApiCall, createHttpServer } from "./http-server.js";

const CREATE = '{"operation":"create","data":{"big":12345678901234567890,"html":"<b>"},"metadata":{"topic":"a/b"}}';

async function errorOf(response: Response): Promise<[number, unknown]> {
	expect(response.headers.get("content-type")).toBe("application/json");
	return [response.status, await response.json()];
}

describe("POST|PUT /v1.0/bindings/{name}", () => {
	test("without a response object: 204, no body; the binding gets the JSON text of data as it was sent", async () => {
		await using api = await startApi();
		const response = await api.post("orders", CREATE);
		expect([response.status, await response.text()]).toEqual([204, ""]);
		const [request] = api.runtime.invocations;
		expect(request).toMatchObject({ operation: "create", dataIsJson: true, metadata: { topic: "a/b" } });
		expect(Buffer.from(request?.data ?? []).toString()).toBe('{"big":12345678901234567890,"html":"<b>"}');
	});

	test("PUT does the same, the content type is not looked at, and a query changes nothing", async () => {
		await using api = await startApi();
		for (const type of ["application/json", "text/plain", "nonsense", "application/x-www-form-urlencoded"]) {
			const init = { method: "PUT", body: CREATE, headers: { "content-type": type } };
			expect((await api.fetch("/v1.0/bindings/orders?x=1", init)).status).toBe(204);
		}
		expect(api.runtime.invocations).toHaveLength(4);
	});

	test("slashes are cleaned and the name is decoded", async () => {
		await using api = await startApi();
		for (const path of ["//v1.0//bindings/orders", "/v1.0/bindings/orders/", "/v1.0/bindings/%6frders"]) {
			expect((await api.fetch(path, { method: "POST", body: CREATE })).status).toBe(204);
		}
		const [, body] = await errorOf(await api.fetch("/v1.0/bindings/my+o%20%3Cx%3E", { method: "POST", body: CREATE }));
		expect(body).toMatchObject({ message: expect.stringContaining("couldn't find output binding my o <x>") });
	});

	test("with a response object: 200 with its bytes, type and metadata, which can't break the headers", async () => {
		await using api = await startApi();
		const data = Buffer.from([0, 255, 1]);
		api.runtime.answer = async () => ({ data, metadata: { a: "1", "b:\r\nx": "2", c: "ä\r\n" } });
		const plain = await api.post("orders", CREATE);
		expect(plain.status).toBe(200);
		expect(plain.headers.get("content-type")).toBe("application/json");
		expect(Buffer.from(await plain.arrayBuffer())).toEqual(data);
		expect(Object.fromEntries([...plain.headers].filter(([name]) => name.startsWith("metadata.")))).toEqual({
			"metadata.a": "1",
			"metadata.c": "%C3%A4%0D%0A",
		});
		api.runtime.answer = async () => ({ data: Buffer.alloc(0), metadata: {}, contentType: "text/plain" });
		const empty = await api.post("orders", CREATE);
		expect([empty.status, empty.headers.get("content-type"), await empty.text()]).toEqual([200, "text/plain", ""]);
	});

	test.each([
		["", "unexpected end of JSON"],
		["nonsense", "unexpected 'n', expected an object, at byte 0"],
		["[]", "expected an object"],
		['{"operation":"create","metadata":{"retain":true}}', '"retain" is not a string at byte 43'],
		['{"operation":"create","data":{"a":01}}', "at byte 35"],
		['{"operation":"create","metadata":{"__proto__":"x"}}', '"__proto__" is not allowed'],
	])("the body %j: 400 ERR_MALFORMED_REQUEST with the place, and nothing is invoked", async (body, cause) => {
		await using api = await startApi();
		const [status, error] = await errorOf(await api.post("orders", body));
		expect(status).toBe(400);
		expect(error).toEqual({
			errorCode: "ERR_MALFORMED_REQUEST",
			message: expect.stringMatching(/^failed deserializing HTTP body: /),
		});
		expect((error as { message: string }).message).toContain(cause);
		expect(api.runtime.invocations).toEqual([]);
	});

	test("an unparsable baggage header: 400 ERR_MALFORMED_REQUEST", async () => {
		await using api = await startApi();
		const [status, error] = await errorOf(await api.post("orders", CREATE, { baggage: "not baggage" }));
		expect([status, error]).toEqual([
			400,
			{ errorCode: "ERR_MALFORMED_REQUEST", message: expect.stringMatching(/^invalid baggage header: /) },
		]);
		expect((await api.post("orders", CREATE, { baggage: "a=1;p,b=2", traceparent: "x" })).status).toBe(204);
	});

	test.each([
		["orders", '{"data":1}', "operation field is missing from request"],
		["orders", "{}", "operation field is missing from request"],
		["nobody", CREATE, "couldn't find output binding nobody"],
		["orders", '{"operation":"get"}', "binding orders does not support operation get. supported operations:create"],
	])("to %s with %s: 500 ERR_INVOKE_OUTPUT_BINDING, %s", async (name, body, cause) => {
		await using api = await startApi();
		expect(await errorOf(await api.post(name, body))).toEqual([
			500,
			{ errorCode: "ERR_INVOKE_OUTPUT_BINDING", message: `error invoking output binding ${name}: ${cause}` },
		]);
		expect(api.errors).toEqual([]);
	});

	test("a failed publish: 500; too many pending: 503 with Retry-After; bad request metadata: 400", async () => {
		await using api = await startApi();
		const statuses: [number, string | null][] = [];
		for (const error of [
			new PublishError("the broker is away", { outcome: "not-sent" }),
			new PublishError("too many pending", { outcome: "not-sent", pending: true }),
			new ConfigurationError('retain "maybe": expected true or false'),
		]) {
			api.runtime.answer = () => Promise.reject(error);
			const response = await api.post("orders", CREATE);
			statuses.push([response.status, response.headers.get("retry-after")]);
			expect(await response.json()).toEqual({
				errorCode: "ERR_INVOKE_OUTPUT_BINDING",
				message: `error invoking output binding orders: ${error.message}`,
			});
		}
		expect(statuses).toEqual([
			[500, null],
			[503, "1"],
			[400, null],
		]);
	});

	test("a bug is told to the operator, not to the caller", async () => {
		await using api = await startApi();
		const bug = new TypeError("mqtt://user:hunter2@broker");
		api.runtime.answer = () => Promise.reject(bug);
		const text = await (await api.post("orders", CREATE)).text();
		expect(text).toBe(
			'{"errorCode":"ERR_INVOKE_OUTPUT_BINDING","message":"error invoking output binding orders: internal error"}',
		);
		expect(api.errors).toEqual([bug]);
	});

	test("an error's body is compact JSON, errorCode first, with HTML escaped as Go escapes it", async () => {
		await using api = await startApi();
		const response = await api.post(encodeURIComponent("<a>&\u2028"), CREATE);
		expect(await response.text()).toBe(
			'{"errorCode":"ERR_INVOKE_OUTPUT_BINDING","message":"error invoking output binding \\u003ca\\u003e\\u0026\\u2028: couldn\'t find output binding \\u003ca\\u003e\\u0026\\u2028"}',
		);
	});

	test("a name with a bad percent escape: 400 in plain text", async () => {
		await using api = await startApi();
		const received = await exchange(api.port, "POST /v1.0/bindings/%zz HTTP/1.1\r\nHost: localhost\r\n\r\n", {
			until: /UTF-8\n/,
		});
		expect(received).toMatch(/^HTTP\/1\.1 400 [\s\S]*content-type: text\/plain/i);
	});

	test("a caller that goes away aborts its invocation", async () => {
		await using api = await startApi();
		let aborted: Cancellation | undefined;
		api.runtime.answer = (_request, signal) => {
			aborted = signal;
			return new Promise((_resolve, reject) => {
				const leave = () => reject(new PublishError("caller gone", { outcome: "not-sent" }));
				signal?.addEventListener("abort", leave, { once: true });
			});
		};
		const controller = new AbortController();
		const sent = fetch(`${api.url}/v1.0/bindings/orders`, { method: "POST", body: CREATE, signal: controller.signal });
		await eventually(() => expect(aborted?.aborted).toBe(false));
		controller.abort();
		await expect(sent).rejects.toThrow();
		await eventually(() => expect(aborted?.aborted).toBe(true));
		expect(api.errors).toEqual([]);
	});
});

describe("routes that are not there", () => {
	test.each([
		["GET", "/v1.0/bindings/orders"],
		["DELETE", "/v1.0/bindings/orders"],
		["POST", "/v1.0/bindings"],
		["POST", "/v1.0/bindings/orders/more"],
		["POST", "/V1.0/bindings/orders"],
		["POST", "/v1.0/healthz"],
		["HEAD", "/v1.0/healthz"],
		["OPTIONS", "/v1.0/bindings/orders"],
		["PROPFIND", "/v1.0/metadata"],
		["GET", "/"],
		["GET", "/v1.0/invoke/other/method/x"],
		["POST", "/v1.0/publish/pubsub/topic"],
	])("%s %s: 404 ERR_DIRECT_INVOKE", async (method, path) => {
		await using api = await startApi();
		const response = await api.fetch(path, { method });
		expect(response.status).toBe(404);
		if (method === "HEAD") return;
		expect(await response.json()).toEqual({
			errorCode: "ERR_DIRECT_INVOKE",
			message: expect.stringMatching(/^failed getting app id/),
		});
	});
});

describe("health", () => {
	const REASONS = [
		{ code: "degraded", message: "granted QoS 0 for a/b", blocking: false, component: "orders" },
		{ code: "offline", message: "mqtt://broker:1883 refused", blocking: true, component: "orders" },
	];

	test("/healthz is 204 once everything was started, and 500 before", async () => {
		await using api = await startApi();
		expect((await api.fetch("/v1.0/healthz")).status).toBe(204);
		expect((await api.fetch("/v1.0/healthz?appid=shop")).status).toBe(204);
		expect(await errorOf(await api.fetch("/v1.0/healthz?appid=other"))).toEqual([
			500,
			{ errorCode: "ERR_HEALTH_APPID_NOT_MATCH", message: "dapr app-id does not match" },
		]);
		api.runtime.state = { ...READY, started: false };
		expect(await errorOf(await api.fetch("/v1.0/healthz"))).toEqual([
			500,
			{
				errorCode: "ERR_HEALTH_NOT_READY",
				message: expect.stringMatching(/^dapr is not ready: \[app\]: its port is closed, or /),
			},
		]);
	});

	test("/healthz/outbound does not wait for the app", async () => {
		await using api = await startApi();
		api.runtime.state = { ...READY, ready: false, started: false };
		expect((await api.fetch("/v1.0/healthz/outbound")).status).toBe(204);
		api.runtime.state = { ...READY, outboundReady: false };
		const [status, error] = await errorOf(await api.fetch("/v1.0/healthz/outbound"));
		expect([status, error]).toEqual([500, expect.objectContaining({ errorCode: "ERR_OUTBOUND_HEALTH_NOT_READY" })]);
	});

	test("/healthz/ready is 200 or 503 with the reasons in words, the blocking ones first", async () => {
		await using api = await startApi();
		expect(await errorOf(await api.fetch("/v1.0/healthz/ready"))).toEqual([200, { status: "ready", reasons: [] }]);
		api.runtime.state = { ...READY, ready: false, reasons: REASONS };
		expect(await errorOf(await api.fetch("/v1.0/healthz/ready"))).toEqual([
			503,
			{ status: "not ready", reasons: REASONS.toReversed() },
		]);
	});

	test("/healthz/ready shows codes alone to a caller who can't show the token that is set", async () => {
		await using api = await startApi({ token: { value: "s3cret" } });
		api.runtime.state = { ...READY, ready: false, reasons: REASONS };
		const codes = { status: "not ready", reasons: [{ code: "offline" }, { code: "degraded" }] };
		for (const headers of [{}, { "dapr-api-token": "wrong" }]) {
			expect(await errorOf(await api.fetch("/v1.0/healthz/ready", { headers }))).toEqual([503, codes]);
		}
		const headers = { "dapr-api-token": "s3cret" };
		const [, document] = await errorOf(await api.fetch("/v1.0/healthz/ready", { headers }));
		expect(document).toEqual({ status: "not ready", reasons: REASONS.toReversed() });
	});
});

describe("metadata", () => {
	test("GET shows the sidecar; PUT adds to `extended`", async () => {
		await using api = await startApi();
		const put = await api.fetch("/v1.0/metadata/app%20Command", { method: "PUT", body: "node app.js <x>" });
		expect([put.status, await put.text()]).toEqual([204, ""]);
		const response = await api.fetch("/v1.0/metadata");
		expect(await errorOf(response)).toEqual([
			200,
			{
				id: "shop",
				runtimeVersion: "1.2.3",
				components: api.runtime.components,
				extended: { daprRuntimeVersion: "1.2.3", "app Command": "node app.js <x>" },
				actorRuntime: { runtimeStatus: "DISABLED", hostReady: false },
			},
		]);
	});

	test("what PUT keeps is bounded, and no key reaches a prototype", async () => {
		await using api = await startApi();
		const put = (key: string, body: string) => api.fetch(`/v1.0/metadata/${key}`, { method: "PUT", body });
		expect((await put("__proto__", "x")).status).toBe(400);
		expect((await put("k".repeat(129), "x")).status).toBe(400);
		expect((await put("k", "x".repeat(65_537))).status).toBe(413);
		for (let i = 0; i < 64; i++) expect((await put(`k${i}`, "x".repeat(100))).status).toBe(204);
		expect((await put("one-more", "x")).status).toBe(400);
		expect((await put("k0", "again")).status).toBe(204);
	});
});

describe("POST /v1.0/shutdown", () => {
	test("204, then the graceful stop; with dapr-force-shutdown the forced one", async () => {
		await using api = await startApi();
		expect((await api.fetch("/v1.0/shutdown", { method: "POST" })).status).toBe(204);
		await eventually(() => expect(api.shutdowns).toEqual([false]));
		await api.fetch("/v1.0/shutdown", { method: "POST", headers: { "dapr-force-shutdown": "true" } });
		await eventually(() => expect(api.shutdowns).toEqual([false, true]));
	});
});

describe("who wants to know of requests", () => {
	test("is told method, path without query, and status of each that passed the gate, and of no other", async () => {
		const calls: string[] = [];
		const onRequest = ({ method, path, status }: ApiCall) => calls.push(`${method} ${path} ${status}`);
		await using api = await startApi({ onRequest, token: { value: "s3cret" } });
		await api.fetch("/v1.0/healthz?appid=shop");
		await api.post("orders", '{"operation":"create"}', { "dapr-api-token": "s3cret" });
		await api.post("orders", '{"operation":"create"}');
		await eventually(() => expect(calls).toEqual(["GET /v1.0/healthz 204", "POST /v1.0/bindings/orders 204"]));
	});
});

describe("listen and close", () => {
	test("it listens on both loopback addresses, on one port", async () => {
		await using api = await startApi();
		const ports = new Set(api.urls.map((url) => new URL(url).port));
		expect(ports.size).toBe(1);
		for (const url of api.urls) {
			expect(new URL(url).hostname).toMatch(/^(127\.0\.0\.1|\[::1\])$/);
			expect((await fetch(`${url}/v1.0/healthz`)).status).toBe(204);
		}
	});

	test("a port in use is a ConfigurationError that names port and flag", async () => {
		const taken = createServer().listen(0, "127.0.0.1");
		await new Promise((resolve) => taken.once("listening", resolve));
		const { port } = taken.address() as { port: number };
		const failed = startApi({ port });
		await expect(failed).rejects.toThrow(ConfigurationError);
		await expect(failed).rejects.toThrow(new RegExp(`port ${port} is in use.*--dapr-http-port`));
		taken.close();
	});

	test("an address that others can reach needs a token or the explicit word", async () => {
		const listenAddresses = ["127.0.0.1", "0.0.0.0"];
		const refused = /0\.0\.0\.0.*DAPR_API_TOKEN.*--allow-unauthenticated/;
		await expect(startApi({ listenAddresses })).rejects.toThrow(refused);
		await expect(startApi({ listenAddresses, token: { value: "" } })).rejects.toThrow(refused);
		await expect(startApi({ listenAddresses: ["::"] })).rejects.toThrow(ConfigurationError);
		await using withToken = await startApi({ listenAddresses: ["0.0.0.0"], token: { value: "x" } });
		expect((await fetch(`http://127.0.0.1:${withToken.port}/v1.0/metadata`)).status).toBe(401);
		await using open = await startApi({ listenAddresses: ["0.0.0.0"], allowUnauthenticated: true });
		expect((await fetch(`http://127.0.0.1:${open.port}/v1.0/metadata`)).status).toBe(200);
	});

	test("close() waits for an open request, ends idle connections, and takes no new one", async () => {
		const api = await startApi();
		let settle: (value: undefined) => void = () => undefined;
		api.runtime.answer = () => new Promise((resolve) => (settle = resolve));
		const idle = exchange(api.port, "GET /v1.0/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
		const open = api.post("orders", CREATE);
		await eventually(() => expect(api.runtime.invocations).toHaveLength(1));
		const closed = api.close();
		expect(await idle).toContain("204");
		await expect(fetch(`${api.url}/v1.0/healthz`)).rejects.toThrow();
		settle(undefined);
		expect((await open).status).toBe(204);
		await closed;
		await api.close();
	});

	test("options that can't be meant are refused before anything listens", () => {
		const sidecar = undefined as never;
		expect(() => createHttpServer({ sidecar, port: 0, allowedOrigins: ["*"] })).toThrow(ConfigurationError);
		expect(() => createHttpServer({ sidecar, port: 0, token: { file: "/nowhere/token" } })).toThrow(
			'DAPR_API_TOKEN_FILE: can\'t read "/nowhere/token"',
		);
	});
});
