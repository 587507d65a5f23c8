import { expect } from "vitest";
import { ClientUnderTest } from "../../integration/client/client-under-test.js";
import { component, logged, metric, untilReady, untilReason } from "../../integration/sidecar/component.js";
import { distinct, numbers, texts } from "../../integration/sidecar/line.js";
import { startApp } from "../../support/app-process.js";
import { eventually } from "../../support/eventually.js";
import { startMosquitto } from "../../support/mosquitto.js";
import { connectDevice } from "../../support/mqtt-device.js";
import { startSidecar } from "../../support/sidecar-process.js";
import { fault } from "../support/fault.js";
import { Load } from "../support/load.js";

fault(
	{ rows: ["F-18"], injected: "another client connects once with our identifier" },
	"taken over once by another client of the same identifier, it comes back",
	async ({ seen }) => {
		await using mosquitto = await startMosquitto();
		await using it = new ClientUnderTest(mosquitto.url);
		it.client.subscribe();
		await it.client.connect();
		await it.reported("subscribed");
		await using other = await connectDevice(mosquitto.url, { clientId: "client-under-test", clean: false });
		await other.closed;
		await it.reported("subscribed", 2);
		expect(it.client.state).toBe("online");
		seen("connected and subscribed again; the other one is out");
	},
);

fault(
	{
		rows: ["F-18"],
		injected: "another client takes our identifier again and again, 50 ms after each time it is evicted",
	},
	"again and again: said once, shown in readiness and metrics with the identifier, attempts slow down, and all is well when it is gone",
	async ({ seen }) => {
		await using broker = await startMosquitto();
		await using app = await startApp();
		await using sidecar = await startSidecar({ components: component({ url: broker.url }), appPort: app.port });
		await untilReady(sidecar);
		await using rival = await connectDevice(broker.url, { clientId: "sidecar-orders", reconnectPeriod: 50 });
		const reason = await untilReason(sidecar, "taken-over", 30_000);
		expect(reason).toMatchObject({ blocking: true, message: expect.stringContaining('"sidecar-orders"') });
		expect((await sidecar.ready()).status).toBe(503);
		expect(await metric(sidecar, "mqtt3_binding_taken_over{")).toBe(1);
		await sidecar.line(/next attempt in (2[5-9]\d\d|[3-9]\d\d\d|\d{5,}) ms.* code=disconnected /, 20_000);
		const lost = logged(sidecar, "disconnected").length;
		expect(lost).toBeLessThan(10);
		expect(logged(sidecar, "taken-over")).toHaveLength(1);
		await rival.close();
		await eventually(async () => expect(await metric(sidecar, "mqtt3_binding_connected{")).toBe(1), {
			timeoutMs: 25_000,
		});
		await using device = await connectDevice(broker.url);
		await eventually(async () => expect(await metric(sidecar, "mqtt3_binding_subscribed{")).toBe(1));
		await device.publish("in/a", "heard");
		await app.acceptedAtLeast(1);
		seen(`${lost} losses until the slow back-off; "${reason.message}"; messages again when the rival had left`);
	},
	90_000,
);

fault(
	{
		rows: ["F-19", "S-18"],
		injected: "two sidecars with one consumerID beside one app, under load; then one of them is killed",
	},
	"two of our processes with one identifier: both name it, connects are bounded, nothing is lost, and the one that stays goes on",
	async ({ seen }) => {
		await using broker = await startMosquitto();
		await using app = await startApp();
		await using device = await connectDevice(broker.url);
		const components = component({ url: broker.url });
		await using first = await startSidecar({ components, appPort: app.port });
		await untilReady(first);
		const load = new Load(device, { everyMs: 20 });
		const second = await startSidecar({ components, appPort: app.port });
		try {
			const began = performance.now();
			const said = await Promise.all([first, second].map((sidecar) => untilReason(sidecar, "taken-over", 30_000)));
			for (const { message } of said) expect(message).toContain('"sidecar-orders"');
			await eventually(() => expect(performance.now() - began).toBeGreaterThan(15_000), { timeoutMs: 20_000 });
			const connects = broker.log.filter((text) => /New client connected .* as sidecar-orders /.test(text)).length;
			// Two processes, each at most 16 in its first minute.
			expect(connects).toBeLessThanOrEqual(32);
			await second.kill();
			const published = await load.stop();
			await eventually(() => expect(distinct(texts(app.accepted()))).toEqual(numbers(published)), {
				timeoutMs: 60_000,
			});
			seen(
				`"${said[0]!.message}"; ${connects} connects of both in the first 15 s and more; ${published} of ${published} messages accepted`,
			);
		} finally {
			await second[Symbol.asyncDispose]();
		}
	},
	150_000,
);
