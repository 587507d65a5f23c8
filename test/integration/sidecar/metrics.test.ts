import { expect, test } from "vitest";
import { eventually } from "../../support/eventually.js";
import { freePort } from "../../support/free-port.js";
import { HttpApp } from "../../support/http-app.js";
import { describeWith } from "../../support/left-out.js";
import { startMosquitto } from "../../support/mosquitto.js";
import { connectDevice } from "../../support/mqtt-device.js";
import { launchSidecar, startSidecar } from "../../support/sidecar-process.js";
import { component, metric, untilReady } from "./component.js";

describeWith("mosquitto", "the metrics of a sidecar", () => {
	test("follow a message in, a message out, a refusal and a lost connection", async () => {
		await using broker = await startMosquitto();
		await using app = await HttpApp.start(({ body }) => (body.toString() === "bad" ? 500 : 200));
		await using sidecar = await startSidecar({ components: component({ url: broker.url }), appPort: app.port });
		await untilReady(sidecar);
		await using device = await connectDevice(broker.url);
		await device.publish("in/a", "good");
		await device.publish("in/a", "bad");
		expect((await sidecar.create("orders", { operation: "create", data: 1, metadata: { topic: "out" } })).status).toBe(
			204,
		);
		await eventually(async () => expect(await metric(sidecar, "mqtt3_binding_held{")).toBe(1));
		const input = 'dapr_component_input_binding_count{component="orders",success=';
		expect(await metric(sidecar, `${input}"true"`)).toBe(1);
		expect(await metric(sidecar, `${input}"false"`)).toBe(1);
		expect(
			await metric(sidecar, 'dapr_component_output_binding_count{component="orders",operation="create",success="true"'),
		).toBe(1);
		expect(await metric(sidecar, "mqtt3_binding_unacknowledged{")).toBe(1);
		expect(await metric(sidecar, "mqtt3_binding_unacknowledged_bytes{")).toBeGreaterThan(3);
		expect(await metric(sidecar, "mqtt3_binding_oldest_unacknowledged_seconds{")).toBeGreaterThan(0);
		expect(await metric(sidecar, 'mqtt3_binding_reasons{component="orders",code="held",blocking="false"')).toBe(1);
		expect([await metric(sidecar, "mqtt3_binding_ready{"), await metric(sidecar, "mqtt3_binding_connected{")]).toEqual([
			1, 1,
		]);
		await broker.stop();
		await eventually(async () => expect(await metric(sidecar, "mqtt3_binding_connected{")).toBe(0));
		expect(await metric(sidecar, "mqtt3_binding_connection_losses_total{")).toBeGreaterThan(0);
		expect(await metric(sidecar, "mqtt3_binding_ready{")).toBe(0);
		expect(await metric(sidecar, "mqtt3_binding_orphans{")).toBe(1);
		expect(await sidecar.metrics()).not.toContain("in/a");
	});

	test("callers cannot make series: names of components and operations that are not there are not counted", async () => {
		await using broker = await startMosquitto();
		await using sidecar = await startSidecar({ components: component({ url: broker.url }) });
		await sidecar.create("no-such", { operation: "create" });
		await sidecar.create("orders", { operation: "no-such" });
		expect(await sidecar.metrics()).not.toContain("no-such");
	});
});

const offline = component({ url: "mqtt://127.0.0.1:1" });

test("a port that was asked for and is taken ends the start with a word", async () => {
	await using taken = await HttpApp.start();
	await using sidecar = await launchSidecar({ components: offline, args: ["--metrics-port", String(taken.port)] });
	expect((await sidecar.exited).code).toBe(1);
	expect(sidecar.output.join("\n")).toContain(`metrics: port ${taken.port} is in use`);
});

test("--enable-metrics=false serves none", async () => {
	const port = await freePort();
	const args = ["--metrics-port", String(port), "--enable-metrics=false"];
	await using _sidecar = await startSidecar({ components: offline, args });
	await expect(fetch(`http://127.0.0.1:${port}/metrics`)).rejects.toThrow();
});
