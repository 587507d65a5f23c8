import { status } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { eventually } from "../../test/support/eventually.js";
import { GrpcCaller } from "../../test/support/grpc-caller.js";
import { READY } from "../../test/support/start-api.js";
import { type GrpcApiUnderTest, startGrpcApi } from "../../test/support/start-grpc-api.js";
import {
	type HealthCheckResponse,
	HealthService,
	HealthCheckResponse_ServingStatus as Serving,
} from "../gen/grpc/health/v1/health.js";

const DAPR = "dapr.proto.runtime.v1.Dapr";
const NOT_READY = { ...READY, outboundReady: false };

/** What a watcher was told so far, and how its call ended. */
function watch({ caller }: Pick<GrpcApiUnderTest, "caller">, service: string) {
	const told: Serving[] = [];
	const ended: number[] = [];
	const call = caller.stream(HealthService.watch, { service });
	call.on("data", (response: HealthCheckResponse) => told.push(response.status));
	call.on("error", () => {});
	call.on("status", ({ code }) => ended.push(code));
	return { told, ended, leave: () => call.cancel() };
}

describe("Check", () => {
	test.each(["", DAPR])("of %j tells whether callers may begin", async (service) => {
		await using api = await startGrpcApi();
		expect((await api.caller.call(HealthService.check, { service })).message).toEqual({ status: Serving.SERVING });
		api.runtime.state = NOT_READY;
		expect((await api.caller.call(HealthService.check, { service })).message).toEqual({ status: Serving.NOT_SERVING });
	});

	test("of a service that is not here: NOT_FOUND", async () => {
		await using api = await startGrpcApi();
		expect(await api.caller.call(HealthService.check, { service: "x.Y" })).toMatchObject({
			code: "NOT_FOUND",
			details: 'unknown service "x.Y"',
		});
	});
});

describe("Watch", () => {
	test("tells the state at once, and every change", async () => {
		await using api = await startGrpcApi();
		const { told, leave } = watch(api, DAPR);
		const other = watch(api, "");
		await eventually(() => expect([told, other.told]).toEqual([[Serving.SERVING], [Serving.SERVING]]));
		api.runtime.state = NOT_READY;
		await eventually(() => expect(told).toEqual([Serving.SERVING, Serving.NOT_SERVING]));
		other.leave();
		await eventually(() => expect(other.ended).toEqual([status.CANCELLED]));
		api.runtime.state = READY;
		await eventually(() => expect(told).toEqual([Serving.SERVING, Serving.NOT_SERVING, Serving.SERVING]));
		leave();
	});

	test("of a service that is not here says so and stays open", async () => {
		await using api = await startGrpcApi();
		const { told, ended } = watch(api, "x.Y");
		await eventually(() => expect(told).toEqual([Serving.SERVICE_UNKNOWN]));
		expect(ended).toEqual([]);
	});

	test("ends when the API closes, which does not wait for it", async () => {
		await using api = await startGrpcApi();
		const { told, ended } = watch(api, "");
		await eventually(() => expect(told).toHaveLength(1));
		await api.close();
		await eventually(() => expect(ended).toEqual([status.UNAVAILABLE]));
	});

	test("the 257th watcher is refused until one leaves", async () => {
		await using api = await startGrpcApi();
		// A connection carries 100 calls.
		const callers = [api.caller, new GrpcCaller(api.targets[0]!), new GrpcCaller(api.targets[0]!)];
		const watchers = Array.from({ length: 256 }, (_, index) => watch({ caller: callers[index % 3]! }, ""));
		const isTold = ({ told }: { told: readonly Serving[] }) => told.length === 1;
		await eventually(() => expect(watchers.filter(isTold).length).toBe(256));
		const late = watch(api, "");
		await eventually(() => expect(late.ended).toEqual([status.RESOURCE_EXHAUSTED]));
		for (const { leave } of watchers) leave();
		await eventually(async () => {
			const next = watch(api, "");
			await eventually(() => expect(next.told.length + next.ended.length).toBe(1));
			expect(next.told).toHaveLength(1);
		});
		for (const caller of callers) caller[Symbol.dispose]();
	});
});
