import { connect } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { eventually } from "../../test/support/eventually.js";
import { invokeBytes } from "../../test/support/grpc-caller.js";
import { callHeaders, FRAME, http2Frame, PREFACE } from "../../test/support/http2-frames.js";
import { messageHead, RawGrpc } from "../../test/support/raw-grpc.js";
import { startGrpcApi } from "../../test/support/start-grpc-api.js";
import type { Cancellation } from "../bindings/binding.js";
import { ConfigurationError, PublishError, StateError } from "../errors.js";

/** What a client says first, and flags of its frames. RFC 9113, 3.4 and 6. */
const END_STREAM = 1;
const END_HEADERS = 4;
const PREFIX = "error invoking output binding orders: ";
const INFO = { reason: "ERR_INVOKE_OUTPUT_BINDING", domain: "dapr.io" };

describe("InvokeBinding", () => {
	test("hands the bytes over as they are, and answers with nothing where the binding has none", async () => {
		await using api = await startGrpcApi();
		const data = Buffer.from([0, 255, 34, 10]);
		const outcome = await api.caller.create({ data, metadata: { topic: "a/ü", retain: "true" } });
		expect(outcome).toEqual({ code: "OK", details: "OK", message: { data: Buffer.alloc(0), metadata: {} } });
		expect(api.runtime.invocations).toHaveLength(1);
		const { operation, data: given, dataIsJson, metadata, timeoutMs } = api.runtime.invocations[0]!;
		expect([operation, Buffer.from(given), dataIsJson, timeoutMs]).toEqual(["create", data, false, undefined]);
		expect(metadata).toMatchObject({ topic: "a/ü", retain: "true" });
	});

	test("answers with what the binding answers", async () => {
		await using api = await startGrpcApi();
		api.runtime.answer = async () => ({ data: Buffer.from("done"), metadata: { statusCode: "200" } });
		const { message } = await api.caller.create();
		expect(message).toEqual({ data: Buffer.from("done"), metadata: { statusCode: "200" } });
	});

	test.each<[string, unknown, string, string]>([
		["bad request metadata", new ConfigurationError('qos "3"'), "INVALID_ARGUMENT", 'qos "3"'],
		["not sent", new PublishError("gone", { outcome: "not-sent" }), "UNAVAILABLE", "not sent: gone"],
		["nobody knows", new PublishError("gone", { outcome: "unknown" }), "DEADLINE_EXCEEDED", "outcome unknown: gone"],
		[
			"too many pending",
			new PublishError("too many pending", { outcome: "not-sent", pending: true }),
			"RESOURCE_EXHAUSTED",
			"not sent: too many pending",
		],
		["closed", new StateError("closed"), "INTERNAL", "closed"],
		["a bug", new TypeError("x of amqp://u:p@h"), "INTERNAL", "internal error"],
	])("%s: says it in a status, in words, and for programs", async (_what, error, code, cause) => {
		await using api = await startGrpcApi();
		api.runtime.answer = () => Promise.reject(error);
		expect(await api.caller.create()).toEqual({ code, details: PREFIX + cause, info: INFO });
		expect(api.errors).toEqual(error instanceof TypeError ? [error] : []);
	});

	test.each([
		["an unknown binding", { name: "nowhere" }, "nowhere", "couldn't find output binding nowhere"],
		[
			"an unknown operation",
			{ operation: "get" },
			"orders",
			"binding orders does not support operation get. supported operations:create",
		],
		["no operation", { operation: "" }, "orders", "operation field is missing from request"],
	])("%s: INTERNAL, as in daprd", async (_what, request, name, cause) => {
		await using api = await startGrpcApi();
		const details = `error invoking output binding ${name}: ${cause}`;
		expect(await api.caller.create(request)).toEqual({ code: "INTERNAL", details, info: INFO });
	});

	test.each([
		["a key of 129 bytes", { metadata: { ["k".repeat(129)]: "" } }, /a metadata key is longer than 128 bytes/],
		[
			"a value beyond 64 KiB",
			{ metadata: { topic: "x".repeat(65_537) } },
			/metadata "topic" is longer than 65536 bytes/,
		],
		["a key that an object has", { metadata: { constructor: "x" } }, /metadata key "constructor" is not allowed/],
		[
			"65 keys",
			{ metadata: Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`k${index}`, ""])) },
			/more than 64 metadata keys/,
		],
	])("metadata with %s: INVALID_ARGUMENT", async (_what, request, details) => {
		await using api = await startGrpcApi();
		expect(await api.caller.create(request)).toMatchObject({
			code: "INVALID_ARGUMENT",
			details: expect.stringMatching(details),
			info: { reason: "ERR_MALFORMED_REQUEST" },
		});
		expect(api.runtime.invocations).toEqual([]);
	});

	test("a text that is not UTF-8, and a message that is cut off: INVALID_ARGUMENT, in words", async () => {
		await using api = await startGrpcApi();
		const broken = invokeBytes({ metadata: { topic: "a/\u00fc" } });
		broken[broken.indexOf(0xc3)] = 0xff;
		expect(await api.caller.createFrom(broken)).toMatchObject({
			code: "INVALID_ARGUMENT",
			details: "a text in the message is not UTF-8",
		});
		expect(await api.caller.createFrom(invokeBytes({}).subarray(0, -1))).toMatchObject({
			code: "INVALID_ARGUMENT",
			details: "the message is not an InvokeBindingRequest",
		});
		expect([api.runtime.invocations, api.errors]).toEqual([[], []]);
	});

	test("a name of a megabyte is refused in a message that fits a header", async () => {
		await using api = await startGrpcApi();
		const { code, details } = await api.caller.create({ name: "é\u{1f600}".repeat(200_000) });
		expect(code).toBe("INTERNAL");
		expect(Buffer.byteLength(details)).toBeLessThan(1_100);
		expect(details).toMatch(/^error invoking output binding é\u{1f600}.*…$/u);
		expect((await api.caller.create()).code).toBe("OK");
	});

	test("data over the limit: RESOURCE_EXHAUSTED, also where the message is longer than the transport takes", async () => {
		await using api = await startGrpcApi({ maxBodySize: 100_000 });
		expect((await api.caller.create({ data: Buffer.alloc(100_000) })).code).toBe("OK");
		expect(await api.caller.create({ data: Buffer.alloc(100_001) })).toMatchObject({
			code: "RESOURCE_EXHAUSTED",
			details: `${PREFIX}data is larger than 100000 bytes`,
		});
		expect(await api.caller.create({ data: Buffer.alloc(300_000) })).toMatchObject({
			code: "RESOURCE_EXHAUSTED",
			details: expect.stringMatching(/larger than max/),
		});
		expect(api.runtime.invocations).toHaveLength(1);
	});
});

describe("the metadata of a call", () => {
	test("goes along with that of the request: the first value, grpc- names and the authority with dapr- before them", async () => {
		await using api = await startGrpcApi();
		const headers = { topic: "from/header", "x-twice": ["1", "2"], "x-y": "z", "grpc-tags": "t" };
		await api.caller.create({}, { headers });
		expect(api.runtime.invocations[0]?.metadata).toMatchObject({
			topic: "from/header",
			// Node joins them.
			"x-twice": expect.stringMatching(/^1(, ?2)?$/),
			"x-y": "z",
			"dapr-grpc-tags": "t",
			"dapr-authority": `127.0.0.1:${api.port}`,
			"user-agent": expect.stringMatching(/grpc-node/),
		});
	});

	test("never overrules what the request itself says, in whatever case", async () => {
		await using api = await startGrpcApi();
		const headers = { topic: "from/header", retain: "true" };
		await api.caller.create({ metadata: { Topic: "from/request", retain: "false" } }, { headers });
		const { metadata } = api.runtime.invocations[0]!;
		expect(metadata).toMatchObject({ Topic: "from/request", retain: "false" });
		expect(metadata).not.toHaveProperty("topic");
	});

	test("does not hold the token, whether one is set or not", async () => {
		for (const token of [undefined, { value: "s3cret" }]) {
			await using api = await startGrpcApi({ token });
			expect((await api.caller.create({}, { headers: { "dapr-api-token": "s3cret" } })).code).toBe("OK");
			expect(JSON.stringify(api.runtime.invocations[0]?.metadata)).not.toMatch(/s3cret|dapr-api-token/);
		}
	});

	test("leaves an object's prototype alone", async () => {
		await using api = await startGrpcApi();
		const headers = { constructor: "x", ["__proto__"]: "x" };
		expect((await api.caller.create({}, { headers })).code).toBe("OK");
		expect(Object.getPrototypeOf(api.runtime.invocations[0]?.metadata)?.topic).toBeUndefined();
		expect({}.constructor).toBe(Object);
	});
});

describe("the end of a call before its answer", () => {
	/** A runtime whose invocations end when their caller leaves. */
	async function startWaiting() {
		const api = await startGrpcApi();
		const callers: Cancellation[] = [];
		api.runtime.answer = (_request, caller) =>
			new Promise((_resolve, reject) => {
				callers.push(caller!);
				const leave = () => reject(new PublishError("the call was cancelled", { outcome: "not-sent" }));
				caller?.addEventListener("abort", leave, { once: true });
			});
		return { api, callers };
	}

	test("a caller that cancels takes its invocation back", async () => {
		const { api, callers } = await startWaiting();
		await using _ = api;
		const controller = new AbortController();
		const outcome = api.caller.create({}, { signal: controller.signal });
		await eventually(() => expect(callers).toHaveLength(1));
		expect(callers[0]?.aborted).toBe(false);
		controller.abort();
		expect((await outcome).code).toBe("CANCELLED");
		await eventually(() => expect(callers[0]?.aborted).toBe(true));
		expect(api.errors).toEqual([]);
	});

	test("what was cancelled in the packet that it came in is not kept waiting for", async () => {
		const { api, callers } = await startWaiting();
		await using _ = api;
		const headers = callHeaders("/dapr.proto.runtime.v1.Dapr/InvokeBinding");
		const request = invokeBytes({});
		const call = (id: number) => [
			http2Frame(FRAME.headers, END_HEADERS, id, headers),
			http2Frame(FRAME.data, END_STREAM, id, Buffer.concat([messageHead(request.byteLength), request])),
		];
		const cancel = http2Frame(FRAME.rstStream, 0, 1, Buffer.from([0, 0, 0, 8]));
		const socket = connect(api.port, "127.0.0.1").resume();
		onTestFinished(() => void socket.destroy());
		socket.write(Buffer.concat([PREFACE, http2Frame(FRAME.settings, 0, 0), ...call(1), cancel, ...call(3)]));
		await eventually(() => expect(callers.map(({ aborted }) => aborted)).toEqual([true, false]));
	});

	test("a connection that is lost takes all its invocations back", async () => {
		const { api, callers } = await startWaiting();
		await using _ = api;
		const raw = await RawGrpc.connect(api.port);
		const request = invokeBytes({});
		for (let calls = 0; calls < 2; calls++) raw.call().end(Buffer.concat([messageHead(request.byteLength), request]));
		await eventually(() => expect(callers).toHaveLength(2));
		raw[Symbol.dispose]();
		await eventually(() => expect(callers.map(({ aborted }) => aborted)).toEqual([true, true]));
	});

	test("a deadline reaches the binding, less what the answer's way needs, and ends what is left", async () => {
		const { api, callers } = await startWaiting();
		await using _ = api;
		const outcome = api.caller.create({}, { deadlineMs: 200 });
		await eventually(() => expect(callers).toHaveLength(1));
		const { timeoutMs = Number.NaN } = api.runtime.invocations[0]!;
		expect(timeoutMs).toBeGreaterThanOrEqual(0);
		expect(timeoutMs).toBeLessThanOrEqual(180);
		expect((await outcome).code).toBe("DEADLINE_EXCEEDED");
		await eventually(() => expect(callers[0]?.aborted).toBe(true));
	});

	test("a deadline of an hour is an hour, less a tenth of a second at most", async () => {
		await using api = await startGrpcApi();
		await api.caller.create({}, { deadlineMs: 3_600_000 });
		const { timeoutMs = Number.NaN } = api.runtime.invocations[0]!;
		expect(timeoutMs).toBeLessThanOrEqual(3_599_900);
		expect(timeoutMs).toBeGreaterThan(3_590_000);
	});

	test("a call that was answered does not count as left", async () => {
		await using api = await startGrpcApi();
		let caller: Cancellation | undefined;
		api.runtime.answer = async (_request, given) => {
			caller = given;
			return undefined;
		};
		expect((await api.caller.create()).code).toBe("OK");
		await api.close();
		expect(caller?.aborted).toBe(false);
	});
});
