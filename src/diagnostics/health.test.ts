import { expect, test } from "vitest";
import type { RuntimeHealth } from "../runtime/runtime.js";
import { renderReady } from "./health.js";

const HEALTH: RuntimeHealth = {
	ready: false,
	outboundReady: true,
	started: true,
	reasons: [
		{ code: "qos-lowered", message: "granted QoS 0 for sensors/#", blocking: false, component: "orders" },
		{ code: "offline", message: "mqtt://broker: refused", blocking: true, component: "orders" },
		{ code: "offline", message: "mqtt://other: refused", blocking: true, component: "alarms" },
		{ code: "app-unreachable", message: "127.0.0.1:3000 refuses connections", blocking: true },
	],
};

test("a sidecar in order is ready and says no more", () => {
	const health = { ready: true, outboundReady: true, started: true, reasons: [] };
	expect(renderReady(health, { detail: true })).toEqual({ ready: true, document: { status: "ready", reasons: [] } });
});

test("in detail, each reason is shown in words with its component, the blocking ones first", () => {
	expect(renderReady(HEALTH, { detail: true })).toEqual({
		ready: false,
		document: {
			status: "not ready",
			reasons: [
				{ code: "offline", component: "orders", message: "mqtt://broker: refused", blocking: true },
				{ code: "offline", component: "alarms", message: "mqtt://other: refused", blocking: true },
				{ code: "app-unreachable", message: "127.0.0.1:3000 refuses connections", blocking: true },
				{ code: "qos-lowered", component: "orders", message: "granted QoS 0 for sensors/#", blocking: false },
			],
		},
	});
});

test("without detail only the codes are shown, each once", () => {
	const { document } = renderReady(HEALTH, { detail: false });
	expect(document).toEqual({
		status: "not ready",
		reasons: [{ code: "offline" }, { code: "app-unreachable" }, { code: "qos-lowered" }],
	});
});
