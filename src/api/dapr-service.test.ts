import { networkInterfaces } from "node:os";
import { describe, expect, test } from "vitest";
import { eventually } from "../../test/support/eventually.js";
import { GrpcCaller } from "../../test/support/grpc-caller.js";
import { listServices } from "../../test/support/grpc-reflection.js";
import { startGrpcApi } from "../../test/support/start-grpc-api.js";
import {
	ActorRuntime_ActorRuntimeStatus,
	DaprService,
	type GetMetadataResponse,
} from "../gen/dapr/proto/runtime/v1/dapr.js";
import { OTHER_DAPR_METHODS } from "./dapr-methods.js";

describe("GetMetadata", () => {
	test("tells what the HTTP API tells", async () => {
		const app = {
			port: 3_000,
			protocol: "http",
			channelAddress: "127.0.0.1",
			maxConcurrency: 7,
			health: { path: "/up", intervalMs: 5_000, timeoutMs: 500, threshold: 3 },
		};
		await using api = await startGrpcApi({}, { app });
		const { code, message } = await api.caller.call(DaprService.getMetadata, {});
		expect(code).toBe("OK");
		expect(message).toEqual({
			id: "shop",
			runtimeVersion: "1.2.3",
			registeredComponents: [
				{ name: "orders", type: "bindings.mqtt3", version: "v1", capabilities: ["INPUT_BINDING", "OUTPUT_BINDING"] },
			],
			extendedMetadata: { daprRuntimeVersion: "1.2.3" },
			appConnectionProperties: {
				port: 3_000,
				protocol: "http",
				channelAddress: "127.0.0.1",
				maxConcurrency: 7,
				health: {
					healthCheckPath: "/up",
					healthProbeInterval: "5s",
					healthProbeTimeout: "500ms",
					healthThreshold: 3,
				},
			},
			enabledFeatures: [],
			actorRuntime: {
				runtimeStatus: ActorRuntime_ActorRuntimeStatus.DISABLED,
				hostReady: false,
				placement: "",
			},
		} satisfies GetMetadataResponse);
	});

	test("without an app says nothing of one", async () => {
		await using api = await startGrpcApi();
		const { message } = await api.caller.call(DaprService.getMetadata, {});
		expect(message?.appConnectionProperties).toBeUndefined();
	});
});

describe("SetMetadata", () => {
	test("keeps a value that GetMetadata shows", async () => {
		await using api = await startGrpcApi();
		for (const value of ["node app.js", "node ä.js"]) {
			expect((await api.caller.call(DaprService.setMetadata, { key: "appCommand", value })).code).toBe("OK");
			const { message } = await api.caller.call(DaprService.getMetadata, {});
			expect(message?.extendedMetadata).toEqual({ daprRuntimeVersion: "1.2.3", appCommand: value });
		}
	});

	test.each([
		["an empty key", { key: "", value: "x" }, "INVALID_ARGUMENT", "the metadata key is empty"],
		["a long key", { key: "k".repeat(129), value: "x" }, "INVALID_ARGUMENT", "a metadata key is longer than 128 bytes"],
		[
			"an object's key",
			{ key: "prototype", value: "x" },
			"INVALID_ARGUMENT",
			'metadata key "prototype" is not allowed',
		],
		["a long value", { key: "k", value: "x".repeat(65_537) }, "RESOURCE_EXHAUSTED", "value is larger than 65536 bytes"],
	])("%s is refused in words", async (_what, request, code, details) => {
		await using api = await startGrpcApi();
		const outcome = await api.caller.call(DaprService.setMetadata, request);
		expect(outcome).toMatchObject({ code, details, info: { reason: "ERR_MALFORMED_REQUEST", domain: "dapr.io" } });
	});

	test("the 65th key is refused, a new value for one of them is not", async () => {
		await using api = await startGrpcApi();
		const set = (key: string) => api.caller.call(DaprService.setMetadata, { key, value: "x" });
		for (let index = 0; index < 64; index++) expect((await set(`k${index}`)).code).toBe("OK");
		expect(await set("k64")).toMatchObject({ code: "INVALID_ARGUMENT", details: "too many metadata keys" });
		expect((await set("k0")).code).toBe("OK");
	});

	test("a message that is none: INVALID_ARGUMENT", async () => {
		await using api = await startGrpcApi();
		const method = { ...DaprService.setMetadata, requestSerialize: (bytes: Buffer) => bytes };
		const outcome = await api.caller.call(method, Buffer.from([0x0a, 0x05, 0x41]));
		expect(outcome).toMatchObject({ code: "INVALID_ARGUMENT", details: "the message is not a SetMetadataRequest" });
	});
});

describe("Shutdown", () => {
	test.each([
		[{}, false],
		[{ "dapr-force-shutdown": "true" }, true],
	])("with headers %j is answered first", async (headers, force) => {
		await using api = await startGrpcApi();
		expect((await api.caller.call(DaprService.shutdown, {}, { headers })).code).toBe("OK");
		await eventually(() => expect(api.shutdowns).toEqual([force]));
	});

	test("T29: without a token nobody can ask for it from another address than loopback", async ({ skip }) => {
		const address = Object.values(networkInterfaces())
			.flat()
			.find((found) => found?.family === "IPv4" && !found.internal)?.address;
		if (address === undefined) return skip("this machine has no address but loopback");
		for (const [token, code] of [
			[undefined, "PERMISSION_DENIED"],
			[{ value: "x" }, "OK"],
		] as const) {
			await using api = await startGrpcApi({ listenAddresses: [address], allowUnauthenticated: true, token });
			const outcome = await api.caller.call(DaprService.shutdown, {}, { headers: { "dapr-api-token": "x" } });
			expect(outcome.code).toBe(code);
			if (code !== "OK") expect(outcome.details).toMatch(/needs a token: set DAPR_API_TOKEN/);
			await eventually(() => expect(api.shutdowns).toHaveLength(code === "OK" ? 1 : 0));
		}
	});

	test("over IPv6's loopback nobody needs a token", async ({ skip }) => {
		await using api = await startGrpcApi();
		const target = api.targets.find((each) => each.startsWith("[::1]"));
		if (target === undefined) return skip("this machine has no ::1");
		using caller = new GrpcCaller(target);
		expect((await caller.call(DaprService.shutdown, {})).code).toBe("OK");
	});
});

describe("what is not served", () => {
	test("every other method of Dapr's says what this sidecar is", async () => {
		await using api = await startGrpcApi();
		const { Dapr } = await import("@dapr/dapr/proto/dapr/proto/runtime/v1/dapr_pb.js");
		const names = Dapr.methods.map(({ name }) => name);
		const served = ["InvokeBinding", "GetMetadata", "SetMetadata", "Shutdown"];
		expect(names.filter((name) => !served.includes(name) && !OTHER_DAPR_METHODS.includes(name))).toEqual([]);
		for (const name of OTHER_DAPR_METHODS) {
			const method = { ...DaprService.getMetadata, path: `/dapr.proto.runtime.v1.Dapr/${name}` };
			expect(await api.caller.call(method, {})).toMatchObject({
				code: "UNIMPLEMENTED",
				details: `this is mqtt3-binding, a sidecar for bindings: it serves InvokeBinding, GetMetadata, SetMetadata and Shutdown, and not ${name}`,
			});
		}
	});

	test("methods and services that nobody knows are UNIMPLEMENTED as well", async () => {
		await using api = await startGrpcApi();
		for (const path of ["/dapr.proto.runtime.v1.Dapr/NoSuchThing", "/some.Service/Call", "/"]) {
			const outcome = await api.caller.call({ ...DaprService.getMetadata, path }, {});
			expect(outcome.code).toBe("UNIMPLEMENTED");
		}
	});
});

test.each(["v1", "v1alpha"] as const)("reflection %s lists the services and nothing else", async (version) => {
	await using api = await startGrpcApi();
	expect([...(await listServices(api.caller.client, version))].sort()).toEqual([
		"dapr.proto.runtime.v1.Dapr",
		"grpc.health.v1.Health",
	]);
});
