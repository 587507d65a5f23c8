import { expect } from "vitest";
import { component, logged, metric, untilReady, untilReason } from "../../integration/sidecar/component.js";
import { texts } from "../../integration/sidecar/line.js";
import { startApp } from "../../support/app-process.js";
import { startMosquitto } from "../../support/mosquitto.js";
import { connectDevice } from "../../support/mqtt-device.js";
import { startScriptedBroker } from "../../support/scripted-broker.js";
import { startSidecar } from "../../support/sidecar-process.js";
import { fault } from "../support/fault.js";

fault(
	{
		rows: ["F-01"],
		injected: "the sidecar starts before mosquitto does",
		scale: "mosquitto comes after some seconds instead of a minute",
	},
	"a broker that is absent at the start is waited for: create says not sent, readiness says why, and all is well once it is there",
	async ({ seen }) => {
		await using broker = await startMosquitto();
		await broker.kill();
		await using app = await startApp();
		const components = component({ url: broker.url, publishTimeout: "200ms" });
		await using sidecar = await startSidecar({ components, appPort: app.port });
		expect((await fetch(`${sidecar.url}/v1.0/healthz/outbound`)).status).toBe(204);
		const reason = await untilReason(sidecar, "not-connected");
		expect(reason).toMatchObject({ blocking: true, component: "orders" });
		expect(reason.message).toContain("connection refused; nothing listens there");
		expect(await metric(sidecar, "mqtt3_binding_connected{")).toBe(0);
		const askedAt = performance.now();
		const answer = await sidecar.create("orders", { operation: "create", data: 1, metadata: { topic: "out/x" } });
		const tookMs = Math.round(performance.now() - askedAt);
		expect(answer.status).toBe(500);
		const { errorCode, message } = (await answer.json()) as { errorCode: string; message: string };
		expect(errorCode).toBe("ERR_INVOKE_OUTPUT_BINDING");
		expect(message).toMatch(
			/^error invoking output binding orders: not sent: not connected to tcp:\/\/127\.0\.0\.1:\d+ \(.*connection refused/,
		);
		expect(tookMs).toBeLessThan(5_000);
		// The third attempt has failed: the back-off is under way.
		await sidecar.line(/next attempt in .* code=connect-failed /);
		expect(logged(sidecar, "connect-failed").length).toBeLessThan(8);
		await broker.start();
		await using device = await connectDevice(broker.url);
		await device.subscribe("out/#");
		await untilReady(sidecar);
		expect(await metric(sidecar, "mqtt3_binding_connected{")).toBe(1);
		await device.publish("in/a", "x");
		await app.acceptedAtLeast(1);
		await sidecar.create("orders", { operation: "create", data: 2, metadata: { topic: "out/x" } });
		expect(texts(await device.received(1))).toEqual(["2"]);
		const clients = broker.log.filter((text) => /New client connected .* as sidecar-orders /.test(text));
		expect(clients).toHaveLength(1);
		seen(
			`create failed "not sent" after ${tookMs} ms with a deadline of 200 ms; not ready, with "connection refused"; one client connected when mosquitto was there, and only the second create arrived`,
		);
	},
	60_000,
);

fault(
	{ rows: ["F-01"], injected: "the broker accepts each connection and closes it at once, five times" },
	"I11: a broker that closes every connection at once is tried with growing delays, and the log stays readable",
	async ({ seen }) => {
		await using broker = await startScriptedBroker();
		await using sidecar = await startSidecar({ components: component({ url: broker.url }) });
		const arrivals: number[] = [];
		for (let attempt = 0; attempt < 5; attempt++) {
			(await broker.accept(15_000)).close();
			arrivals.push(performance.now());
		}
		const gaps = arrivals.slice(1).map((at, index) => Math.round(at - arrivals[index]!));
		// Each step twice the one before, drawn between a quarter of it and the whole.
		for (const [index, stepMs] of [250, 500, 1_000, 2_000].entries()) {
			expect(gaps[index]).toBeGreaterThan(stepMs / 4 - 20);
		}
		await expect.poll(() => logged(sidecar, "connect-failed").length, { timeout: 5_000 }).toBeGreaterThan(2);
		expect(logged(sidecar, "connect-failed").length).toBeLessThanOrEqual(5);
		const { message } = await untilReason(sidecar, "not-connected");
		expect(message).toMatch(/the broker closed it/);
		seen(
			`attempts ${gaps.join(", ")} ms apart; at most a line of the log each; readiness says that the broker closed it`,
		);
	},
	60_000,
);

fault(
	{
		rows: ["S-51"],
		injected: "no broker: 20 creates, and the app comes and goes three times; then mosquitto starts",
		scale: "three starts of the app stand for three Reads of daprd",
	},
	"a broker that comes late: one connection, subscribed, and no late copy of what had failed",
	async ({ seen }) => {
		await using broker = await startMosquitto();
		await broker.kill();
		await using app = await startApp();
		const components = component({ url: broker.url, publishTimeout: "300ms" });
		await using sidecar = await startSidecar({ components, appPort: app.port });
		const create = (data: unknown) =>
			sidecar.create("orders", { operation: "create", data, metadata: { topic: "out/x" } });
		const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => create(`failed ${index}`)));
		for (const answer of answers) {
			expect(answer.status).toBe(500);
			expect(((await answer.json()) as { message: string }).message).toMatch(/: not sent: /);
		}
		for (let start = 0; start < 3; start++) {
			await app.kill();
			await app.start();
		}
		await broker.start({ logPackets: true });
		await using device = await connectDevice(broker.url);
		await device.subscribe("out/#");
		await untilReady(sidecar, 40_000);
		expect((await create("late")).status).toBe(204);
		await device.publish("in/a", "heard");
		expect(texts(await app.acceptedAtLeast(1))).toEqual(["heard"]);
		expect(texts(await device.received(1))).toEqual(['"late"']);
		const connects = broker.log.filter((text) => /New client connected .* as /.test(text) && !/mqttjs/.test(text));
		expect(connects).toEqual([expect.stringContaining(" as sidecar-orders ")]);
		expect(broker.log.filter((text) => /Received SUBSCRIBE from sidecar-orders/.test(text))).toHaveLength(1);
		seen('20 creates "not sent"; then one CONNECT, one SUBSCRIBE, one message out, and none of the 20');
	},
	90_000,
);
