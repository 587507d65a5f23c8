import { expect } from "vitest";
import { ClientUnderTest } from "../../integration/client/client-under-test.js";
import { component, logged, untilReady } from "../../integration/sidecar/component.js";
import { startApp } from "../../support/app-process.js";
import { startMosquitto } from "../../support/mosquitto.js";
import { connectDevice } from "../../support/mqtt-device.js";
import { startSidecar } from "../../support/sidecar-process.js";
import { fault } from "../support/fault.js";

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
	"another client takes our identifier again and again: the attempts slow down, and all is well when it is gone",
	async ({ seen }) => {
		await using broker = await startMosquitto();
		await using app = await startApp();
		await using sidecar = await startSidecar({ components: component({ url: broker.url }), appPort: app.port });
		await untilReady(sidecar);
		await using rival = await connectDevice(broker.url, { clientId: "sidecar-orders", reconnectPeriod: 50 });
		await sidecar.line(/next attempt in (1[5-9]\d\d|[2-9]\d\d\d|\d{5,}) ms/, 20_000);
		expect((await sidecar.ready()).status).toBe(503);
		const lost = logged(sidecar, "disconnected").length;
		expect(lost).toBeLessThan(10);
		await rival.close();
		await untilReady(sidecar, 20_000);
		seen(`${lost} losses before the wait exceeded 1.5 s; ready again when the rival had left`);
	},
	60_000,
);
