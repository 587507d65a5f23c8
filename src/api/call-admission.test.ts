import { once } from "node:events";
import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import { describe, expect, test, vi } from "vitest";
import { eventually } from "../../test/support/eventually.js";
import { listServices } from "../../test/support/grpc-reflection.js";
import { messageHead, RawGrpc, statusOf } from "../../test/support/raw-grpc.js";
import { startGrpcApi } from "../../test/support/start-grpc-api.js";
import { DaprService } from "../gen/dapr/proto/runtime/v1/dapr.js";
import { HealthService } from "../gen/grpc/health/v1/health.js";
import { GrpcStatus } from "../grpc/grpc-status.js";
import type { GrpcCall } from "./grpc-call.js";
import { RequestBudget } from "./request-budget.js";

const TOKEN = "s3cret, with a comma";
const UNAUTHENTICATED = 16;

describe("the token", () => {
	test.each<[string, Readonly<Record<string, string | string[]>>, string]>([
		["missing", {}, "UNAUTHENTICATED"],
		["wrong", { "dapr-api-token": "wrong" }, "UNAUTHENTICATED"],
		["empty", { "dapr-api-token": "" }, "UNAUTHENTICATED"],
		["shown twice", { "dapr-api-token": [TOKEN, TOKEN] }, "UNAUTHENTICATED"],
		["one of two", { "dapr-api-token": ["x", TOKEN] }, "UNAUTHENTICATED"],
		["in another header", { authorization: `Bearer ${TOKEN}` }, "UNAUTHENTICATED"],
		["right", { "dapr-api-token": TOKEN }, "OK"],
		["right, in other letters", { "Dapr-Api-Token": TOKEN }, "OK"],
	])("%s", async (_what, headers, code) => {
		await using api = await startGrpcApi({ token: { value: TOKEN } });
		const outcome = await api.caller.create({}, { headers });
		expect(outcome.code).toBe(code);
		if (code !== "OK") expect(outcome.details).toBe("invalid api token");
		expect(api.runtime.invocations).toHaveLength(code === "OK" ? 1 : 0);
	});

	test("is asked for by every service: metadata, shutdown, health, reflection, and what is not served", async () => {
		await using api = await startGrpcApi({ token: { value: TOKEN } });
		const headers = { "dapr-api-token": TOKEN };
		const state = { ...DaprService.getMetadata, path: "/dapr.proto.runtime.v1.Dapr/GetState" };
		for (const [shown, codes] of [
			[{}, ["UNAUTHENTICATED", "UNAUTHENTICATED", "UNAUTHENTICATED", "UNAUTHENTICATED"]],
			[{ headers }, ["OK", "OK", "OK", "UNIMPLEMENTED"]],
		] as const) {
			const outcomes = [
				await api.caller.call(DaprService.getMetadata, {}, shown),
				await api.caller.call(DaprService.shutdown, {}, shown),
				await api.caller.call(HealthService.check, { service: "" }, shown),
				await api.caller.call(state, {}, shown),
			];
			expect(outcomes.map(({ code }) => code)).toEqual(codes);
		}
		for (const version of ["v1", "v1alpha"] as const) {
			await expect(listServices(api.caller.client, version)).rejects.toMatchObject({ code: UNAUTHENTICATED });
			expect(await listServices(api.caller.client, version, headers)).toHaveLength(2);
		}
		expect(api.shutdowns).toHaveLength(1);
	});

	test("is asked for before the message is read", async () => {
		await using api = await startGrpcApi({ token: { value: TOKEN } });
		using raw = await RawGrpc.connect(api.port);
		const stream = raw.call();
		expect(await statusOf(stream)).toEqual({ status: UNAUTHENTICATED, text: "invalid api token" });
		await eventually(() => expect(stream.closed).toBe(true));
	});

	test("is written nowhere, even where gRPC does not take it", async ({ onTestFinished }) => {
		const written: string[] = [];
		const spy = vi.spyOn(console, "error").mockImplementation((...words) => void written.push(words.join(" ")));
		onTestFinished(() => spy.mockRestore());
		await using api = await startGrpcApi({ token: { value: "gehe\u00efm" } });
		using raw = await RawGrpc.connect(api.port);
		expect(await statusOf(raw.call({ "dapr-api-token": "gehe\u00efm" }))).toMatchObject({ status: UNAUTHENTICATED });
		expect(written).toEqual([]);
	});
});

describe("the bounds", () => {
	test("beyond so many open calls: RESOURCE_EXHAUSTED, and one that ends makes room", async () => {
		await using api = await startGrpcApi({ budget: new RequestBudget(2) });
		const settle: (() => void)[] = [];
		api.runtime.answer = () => new Promise((resolve) => settle.push(() => resolve(undefined)));
		const open = [api.caller.create(), api.caller.create()];
		await eventually(() => expect(settle).toHaveLength(2));
		expect(await api.caller.create()).toMatchObject({ code: "RESOURCE_EXHAUSTED", details: "too many open requests" });
		for (const go of settle) go();
		expect((await Promise.all(open)).map(({ code }) => code)).toEqual(["OK", "OK"]);
		const next = api.caller.create();
		await eventually(() => expect(settle).toHaveLength(3));
		settle[2]?.();
		expect((await next).code).toBe("OK");
	});

	test("callers that leave in the middle of a message give back their place and their bytes", async () => {
		const budget = new RequestBudget(2, 100_000);
		await using api = await startGrpcApi({ budget });
		for (let round = 0; round < 3; round++) {
			using raw = await RawGrpc.connect(api.port);
			for (let calls = 0; calls < 2; calls++) {
				raw.call().write(Buffer.concat([messageHead(50_000), Buffer.alloc(20_000)]));
			}
			await eventually(() => expect(isFree(budget, 60_001)).toBe(false));
			expect((await api.caller.create()).code).toBe("RESOURCE_EXHAUSTED");
			raw[Symbol.dispose]();
			await eventually(async () => expect((await api.caller.create()).code).toBe("OK"));
			expect(isFree(budget, 100_000)).toBe(true);
		}
	});

	test("messages that are half here count together: beyond the bound RESOURCE_EXHAUSTED, nothing more is read", async () => {
		const budget = new RequestBudget(10, 100_000);
		await using api = await startGrpcApi({ budget });
		using raw = await RawGrpc.connect(api.port);
		const first = raw.call();
		first.write(Buffer.concat([messageHead(90_000), Buffer.alloc(30_000)]));
		await eventually(() => expect(isFree(budget, 75_000)).toBe(false));
		using other = await RawGrpc.connect(api.port);
		const second = other.call();
		second.write(Buffer.concat([messageHead(90_000), Buffer.alloc(89_000)]));
		expect(await statusOf(second)).toEqual({
			status: GrpcStatus.RESOURCE_EXHAUSTED,
			text: "too many request bodies at once",
		});
		await eventually(() => expect(second.closed).toBe(true));
		first.destroy();
		await eventually(() => expect(isFree(budget, 100_000)).toBe(true));
		expect(api.runtime.invocations).toEqual([]);
	});

	test("a message that does not arrive in time ends its call, and nobody else waits", async () => {
		await using api = await startGrpcApi({ uploadMs: 300, checkMs: 20 });
		using raw = await RawGrpc.connect(api.port);
		const [silent, half] = [raw.call(), raw.call()];
		half.write(messageHead(10));
		expect((await api.caller.create()).code).toBe("OK");
		const late = { status: GrpcStatus.DEADLINE_EXCEEDED, text: "the message did not arrive within 300 ms" };
		expect(await Promise.all([statusOf(silent), statusOf(half)])).toEqual([late, late]);
		await eventually(() => expect([silent.closed, half.closed]).toEqual([true, true]));
		expect(api.runtime.invocations).toHaveLength(1);
	});

	test("an invocation may take longer than its message", async () => {
		await using api = await startGrpcApi({ uploadMs: 50, checkMs: 10 });
		api.runtime.answer = () => new Promise((resolve) => setTimeout(() => resolve(undefined), 300));
		expect((await api.caller.create()).code).toBe("OK");
	});

	test("what is packed is unpacked to the limit and no further", async () => {
		await using api = await startGrpcApi({ maxBodySize: 100_000 });
		using raw = await RawGrpc.connect(api.port);
		const bomb = gzipSync(Buffer.alloc(50_000_000));
		const stream = raw.call({ "grpc-encoding": "gzip" });
		stream.end(Buffer.concat([messageHead(bomb.byteLength, true), bomb]));
		expect(await statusOf(stream)).toMatchObject({ status: GrpcStatus.RESOURCE_EXHAUSTED });
	});

	test("bytes that are no HTTP/2, and HTTP/1 itself, end their connection and nothing else", async () => {
		await using api = await startGrpcApi();
		await expect(fetch(`http://127.0.0.1:${api.port}/v1.0/metadata`)).rejects.toThrow();
		const socket = connect(api.port, "127.0.0.1", () => socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnothing good"));
		await once(socket.on("error", () => {}).resume(), "close");
		expect((await api.caller.create()).code).toBe("OK");
		expect(api.errors).toEqual([]);
	});

	test("more calls at once than a connection carries wait at the caller", async () => {
		await using api = await startGrpcApi();
		const outcomes = await Promise.all(Array.from({ length: 500 }, () => api.caller.create()));
		expect(new Set(outcomes.map(({ code }) => code))).toEqual(new Set(["OK"]));
	});
});

describe("the log of calls", () => {
	test("has each call that showed the token, with how it ended", async () => {
		const calls: GrpcCall[] = [];
		await using api = await startGrpcApi({
			token: { value: TOKEN },
			budget: new RequestBudget(1),
			onCall: (call) => calls.push(call),
		});
		const headers = { "dapr-api-token": TOKEN };
		await api.caller.create();
		await api.caller.create({}, { headers });
		await api.caller.create({ name: "nowhere" }, { headers });
		let wait = 0;
		api.runtime.answer = () => new Promise(() => wait++);
		const controller = new AbortController();
		const left = api.caller.create({}, { headers, signal: controller.signal });
		await eventually(() => expect(wait).toBe(1));
		await api.caller.create({}, { headers });
		controller.abort();
		await left;
		await eventually(() => expect(calls).toHaveLength(4));
		await api.caller.create({}, { headers, deadlineMs: 50 });
		await eventually(() => expect(calls).toHaveLength(5));
		expect(calls.map(({ code }) => code)).toEqual([
			"OK",
			"INTERNAL",
			"RESOURCE_EXHAUSTED",
			"CANCELLED",
			expect.stringMatching(/CANCELLED|DEADLINE_EXCEEDED/),
		]);
		expect(new Set(calls.map(({ method }) => method))).toEqual(new Set(["/dapr.proto.runtime.v1.Dapr/InvokeBinding"]));
		expect(JSON.stringify(calls)).not.toContain(TOKEN);
	});
});

function isFree(budget: RequestBudget, bytes: number): boolean {
	if (!budget.take(bytes)) return false;
	budget.give(bytes);
	return true;
}
