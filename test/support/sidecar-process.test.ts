import { expect, test } from "vitest";
import { startBroker } from "../../src/broker/broker.js";
import { startApp } from "./app-process.js";
import { eventually } from "./eventually.js";
import { connectDevice } from "./mqtt-device.js";
import { launchSidecar, startSidecar } from "./sidecar-process.js";

function component(brokerUrl: string): string {
	return `
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: orders }
spec:
  type: bindings.mqtt3
  version: v1
  metadata:
    - { name: url, value: "${brokerUrl}" }
    - { name: topic, value: orders }
    - { name: consumerID, value: sidecar-process }
`;
}

test("a sidecar stands between broker and app, and starts again after a kill", async () => {
	await using broker = await startBroker();
	await using app = await startApp();
	await using device = await connectDevice(broker.url);
	await device.subscribe("replies");
	await using sidecar = await startSidecar({ components: component(broker.url), appPort: app.port });
	await eventually(async () => expect(await sidecar.ready()).toMatchObject({ status: 200 }));
	await device.publish("orders", "one");
	await app.acceptedAtLeast(1);
	const answer = await sidecar.create("orders", {
		operation: "create",
		data: { a: 1 },
		metadata: { topic: "replies" },
	});
	expect(answer.ok).toBe(true);
	expect((await device.received(1)).map(({ payload }) => String(payload))).toEqual(['{"a":1}']);
	expect(await sidecar.kill()).toEqual({ code: null, signal: "SIGKILL" });
	await sidecar.start();
	await eventually(async () => expect(await sidecar.ready()).toMatchObject({ status: 200 }));
	expect(await sidecar.stop()).toEqual({ code: 0, signal: null });
});

test("a start that fails rejects with the output", async () => {
	await expect(startSidecar({ components: component("nonsense://x") })).rejects.toThrow(
		/sidecar ended \(1\).*nonsense/s,
	);
	await using sidecar = await launchSidecar({ components: component("nonsense://x") });
	expect(await sidecar.exited).toEqual({ code: 1, signal: null });
});
