import { expect, test } from "vitest";
import { describeSidecar, goDuration } from "./metadata-document.js";

test.each([
	[0, "0s"],
	[500, "500ms"],
	[1_000, "1s"],
	[1_500, "1.5s"],
	[5_000, "5s"],
	[90_000, "1m30s"],
	[60_000, "1m0s"],
	[3_600_000, "1h0m0s"],
	[3_725_250, "1h2m5.25s"],
])("%d ms is %s, as Go prints it", (ms, text) => {
	expect(goDuration(ms)).toBe(text);
});

test("a sidecar with an app and a component has the members of Dapr's metadata API", () => {
	const document = describeSidecar({
		appId: "shop",
		runtimeVersion: "1.2.3",
		app: {
			port: 3000,
			protocol: "http",
			channelAddress: "127.0.0.1",
			maxConcurrency: 4,
			health: { path: "/healthz", intervalMs: 5_000, timeoutMs: 500, threshold: 3 },
		},
		components: [{ name: "orders", type: "bindings.mqtt3", version: "v1", capabilities: ["OUTPUT_BINDING"] }],
		extended: new Map([["appPID", "17"]]),
	});
	expect(document).toEqual({
		id: "shop",
		runtimeVersion: "1.2.3",
		components: [{ name: "orders", type: "bindings.mqtt3", version: "v1", capabilities: ["OUTPUT_BINDING"] }],
		extended: { daprRuntimeVersion: "1.2.3", appPID: "17" },
		appConnectionProperties: {
			port: 3000,
			protocol: "http",
			channelAddress: "127.0.0.1",
			maxConcurrency: 4,
			health: {
				healthCheckPath: "/healthz",
				healthProbeInterval: "5s",
				healthProbeTimeout: "500ms",
				healthThreshold: 3,
			},
		},
		actorRuntime: { runtimeStatus: "DISABLED", hostReady: false },
	});
});

test("members that would be empty are absent", () => {
	const document = describeSidecar({
		appId: "shop",
		runtimeVersion: "1.2.3",
		app: undefined,
		components: [],
		extended: new Map(),
	});
	expect(Object.keys(document)).toEqual(["id", "runtimeVersion", "extended", "actorRuntime"]);
});
