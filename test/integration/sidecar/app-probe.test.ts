import { expect, test } from "vitest";
import { startApp } from "../../support/app-process.js";
import { eventually } from "../../support/eventually.js";
import { describeWith } from "../../support/left-out.js";
import { startMosquitto } from "../../support/mosquitto.js";
import { connectDevice } from "../../support/mqtt-device.js";
import { startSidecar } from "../../support/sidecar-process.js";
import { component, logged, reasons, untilReady, untilReason } from "./component.js";
import { texts } from "./line.js";

/** True once the broker was asked for messages. */
function subscribed({ log }: { readonly log: readonly string[] }): boolean {
	return log.some((text) => /Received SUBSCRIBE from sidecar-orders/.test(text));
}

describeWith("mosquitto", "the question whether the app wants the events", () => {
	test("an app that comes later is found and asked; until then create works and readiness says what is missing", async () => {
		await using broker = await startMosquitto({ logPackets: true });
		await using app = await startApp();
		await app.kill();
		await using sidecar = await startSidecar({ components: component({ url: broker.url }), appPort: app.port });
		await sidecar.line(/code=connected /);
		expect(await sidecar.ready()).toMatchObject({
			status: 503,
			body: { status: "not ready", reasons: [{ code: "app-unreachable", blocking: true }] },
		});
		expect((await fetch(`${sidecar.url}/v1.0/healthz/outbound`)).status).toBe(204);
		expect((await fetch(`${sidecar.url}/v1.0/healthz`)).status).toBe(500);
		const answer = await sidecar.create("orders", { operation: "create", data: 1, metadata: { topic: "out/x" } });
		expect(answer.status).toBe(204);
		expect(subscribed(broker)).toBe(false);
		await app.start();
		await untilReady(sidecar);
		expect((await fetch(`${sidecar.url}/v1.0/healthz`)).status).toBe(204);
		expect(app.probes().map(({ path }) => path)).toEqual(["/orders"]);
		await using device = await connectDevice(broker.url);
		await device.publish("in/a", "x");
		await app.acceptedAtLeast(1);
	});

	test("404 makes the component an output only, until the app comes back and says otherwise", async () => {
		await using broker = await startMosquitto({ logPackets: true });
		await using app = await startApp({ probeStatus: 404 });
		await using sidecar = await startSidecar({ components: component({ url: broker.url }), appPort: app.port });
		const declined = await untilReason(sidecar, "input-declined");
		expect(declined).toMatchObject({ blocking: false, component: "orders" });
		await sidecar.line(/code=connected /);
		await untilReady(sidecar);
		expect(subscribed(broker)).toBe(false);

		await app.kill();
		await app.answer({ probeStatus: 200 });
		await app.start();
		await eventually(() => expect(subscribed(broker)).toBe(true), { timeoutMs: 15_000 });
		await eventually(async () => expect(await reasons(sidecar)).toEqual([]));
		await using device = await connectDevice(broker.url);
		await device.publish("in/a", "x");
		expect(texts(await app.acceptedAtLeast(1))).toEqual(["x"]);
	});

	test("405 is a yes", async () => {
		await using broker = await startMosquitto();
		await using app = await startApp({ probeStatus: 405 });
		await using sidecar = await startSidecar({ components: component({ url: broker.url }), appPort: app.port });
		await untilReady(sidecar);
		expect(await reasons(sidecar)).toEqual([]);
		await using device = await connectDevice(broker.url);
		await device.publish("in/a", "x");
		await app.acceptedAtLeast(1);
	});

	test("an app that listens and does not answer is asked again; meanwhile nothing is subscribed", async () => {
		await using broker = await startMosquitto({ logPackets: true });
		await using app = await startApp();
		app.freeze();
		await using sidecar = await startSidecar({
			components: component({ url: broker.url }),
			appPort: app.port,
			args: ["--app-binding-options-timeout", "300ms"],
		});
		const { message, blocking } = await untilReason(sidecar, "app-probe-failed");
		expect([message, blocking]).toEqual([
			expect.stringMatching(
				/^the app did not say whether it wants the events of component "orders": OPTIONS \/orders at 127\.0\.0\.1:\d+ got no answer within 300 ms$/,
			),
			true,
		]);
		expect(subscribed(broker)).toBe(false);
		expect((await sidecar.create("orders", { operation: "create", metadata: { topic: "out/x" } })).status).toBe(204);
		app.thaw();
		await untilReady(sidecar);
		expect(logged(sidecar, "app-probe-failed").length).toBeLessThanOrEqual(3);
	});

	test.each([
		["direction: output", { direction: "output" }],
		["no app port", {}],
	])("without an input (%s) nobody is asked and nothing is subscribed", async (_, fields) => {
		await using broker = await startMosquitto({ logPackets: true });
		await using app = await startApp();
		const appPort = "direction" in fields ? app.port : undefined;
		const components = component({ url: broker.url, ...fields });
		await using sidecar = await startSidecar({ components, ...(appPort !== undefined && { appPort }) });
		await untilReady(sidecar);
		await using device = await connectDevice(broker.url);
		await device.subscribe("out/x");
		expect(
			(await sidecar.create("orders", { operation: "create", data: 1, metadata: { topic: "out/x" } })).status,
		).toBe(204);
		await device.received(1);
		expect(subscribed(broker)).toBe(false);
		expect(app.probes()).toEqual([]);
	});

	test("direction: input reads without asking, and create is refused as in daprd", async () => {
		await using broker = await startMosquitto();
		await using app = await startApp({ probeStatus: 404 });
		const components = component({ url: broker.url, direction: "input" });
		await using sidecar = await startSidecar({ components, appPort: app.port });
		await untilReady(sidecar);
		await using device = await connectDevice(broker.url);
		await device.publish("in/a", "x");
		await app.acceptedAtLeast(1);
		expect(app.probes()).toEqual([]);
		const answer = await sidecar.create("orders", { operation: "create", data: 1, metadata: { topic: "out/x" } });
		expect([answer.status, await answer.json()]).toEqual([
			500,
			{
				errorCode: "ERR_INVOKE_OUTPUT_BINDING",
				message: "error invoking output binding orders: couldn't find output binding orders",
			},
		]);
	});
});
