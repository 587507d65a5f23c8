import { expect, test } from "vitest";
import { startApp } from "../../support/app-process.js";
import { eventually } from "../../support/eventually.js";
import { describeWith } from "../../support/left-out.js";
import { startMosquitto } from "../../support/mosquitto.js";
import { connectDevice } from "../../support/mqtt-device.js";
import { startSidecar } from "../../support/sidecar-process.js";
import { component, logged, untilReady, untilReason } from "./component.js";
import { Creator } from "./creator.js";
import { distinct, numbers, startLine, texts } from "./line.js";

const MESSAGES = 1_500;

describeWith("mosquitto", "a broker that goes and comes back", () => {
	test("F-02: stopped and started under load, with its data kept: nothing is missing, and create tells the truth", async () => {
		await using line = await startLine({
			broker: { persistence: true },
			app: { delayMs: [0, 4] },
			fields: { publishTimeout: "300ms" },
		});
		const { broker, app, sidecar } = line;
		const lasting = { clean: false, reconnectPeriod: 50 };
		await using publisher = await connectDevice(broker.url, { ...lasting, clientId: "publisher" });
		await using observer = await connectDevice(broker.url, { ...lasting, clientId: "observer" });
		await observer.subscribe("out/#");

		const creator = new Creator(sidecar, "orders", "out/x");
		creator.start(8);
		const published = publisher.publishAll(MESSAGES, (index) => ({ topic: "in/a", payload: String(index) }));
		for (const share of [0.3, 0.6]) {
			await app.acceptedAtLeast(share * MESSAGES);
			const failures = creator.failures.length;
			await broker.stop();
			await eventually(() => expect(creator.failures.length).toBeGreaterThan(failures));
			await broker.start();
			const successes = creator.succeeded.length;
			await eventually(() => expect(creator.succeeded.length).toBeGreaterThan(successes), { timeoutMs: 15_000 });
		}
		await published;
		expect(distinct(texts(await app.acceptedAtLeast(MESSAGES, 20_000)))).toEqual(numbers(MESSAGES));
		await creator.stop();
		await creator.checkAgainst(observer, broker);
		expect(logged(sidecar, "session-lost")).toEqual([]);
		await untilReady(sidecar);
	}, 60_000);

	test("F-04: killed, it comes back with what it had saved: nothing of that is missing", async () => {
		await using line = await startLine({ broker: { persistence: true }, app: { delayMs: [0, 10] } });
		const { broker, app, sidecar, device } = line;
		await sidecar.stop();
		await device.publishAll(MESSAGES, (index) => ({ topic: "in/a", payload: String(index) }));
		// That saves.
		await broker.stop();
		await broker.start();
		await sidecar.start();
		for (const share of [0.3, 0.6]) {
			await app.acceptedAtLeast(share * MESSAGES);
			await broker.kill();
			await broker.start();
		}
		expect(distinct(texts(await app.acceptedAtLeast(MESSAGES, 20_000)))).toEqual(numbers(MESSAGES));
	}, 60_000);

	test("F-93: a broker that was killed comes back without our subscription in the session: it is made again", async () => {
		await using broker = await startMosquitto({ persistence: true });
		await using app = await startApp();
		await app.kill();
		await using sidecar = await startSidecar({ components: component({ url: broker.url }), appPort: app.port });
		await sidecar.line(/code=connected /);
		// The session is saved while nothing is subscribed yet.
		await broker.stop();
		await broker.start();
		await app.start();
		await untilReady(sidecar);
		await broker.kill();
		await broker.start();
		await sidecar.line(/session resumed/);
		await untilReady(sidecar);
		await using device = await connectDevice(broker.url);
		await device.publish("in/a", "heard");
		expect(texts(await app.acceptedAtLeast(1))).toEqual(["heard"]);
	});

	test("F-03: started again without its data, it has lost our session: that is said once, and the subscription is made again", async () => {
		await using line = await startLine();
		const { broker, app, sidecar } = line;
		await broker.stop();
		const { message } = await untilReason(sidecar, "not-connected");
		expect(message).toMatch(/^not connected to tcp:\/\/127\.0\.0\.1:\d+ \(.*\): .*/);
		await broker.start();
		await sidecar.line(/code=session-lost /);
		await untilReady(sidecar);
		await using device = await connectDevice(broker.url);
		await device.publish("in/a", "after");
		expect(texts(await app.acceptedAtLeast(1))).toEqual(["after"]);
		expect(logged(sidecar, "session-lost")).toHaveLength(1);
		expect(logged(sidecar, "session-lost")[0]).toMatch(/level=error .*the broker no longer has our session/);
	});

	test("F-01: absent at the start, it is waited for: create says not sent, readiness says why, and all is well once it is there", async () => {
		await using broker = await startMosquitto();
		await broker.kill();
		await using app = await startApp();
		const components = component({ url: broker.url, publishTimeout: "200ms" });
		await using sidecar = await startSidecar({ components, appPort: app.port });
		expect((await fetch(`${sidecar.url}/v1.0/healthz/outbound`)).status).toBe(204);
		expect((await untilReason(sidecar, "not-connected")).message).toContain(
			"connection refused; nothing listens there",
		);
		const answer = await sidecar.create("orders", { operation: "create", data: 1, metadata: { topic: "out/x" } });
		expect(answer.status).toBe(500);
		const { errorCode, message } = (await answer.json()) as { errorCode: string; message: string };
		expect(errorCode).toBe("ERR_INVOKE_OUTPUT_BINDING");
		expect(message).toMatch(
			/^error invoking output binding orders: not sent: not connected to tcp:\/\/127\.0\.0\.1:\d+ \(.*connection refused/,
		);
		await broker.start();
		await using device = await connectDevice(broker.url);
		await device.subscribe("out/#");
		await untilReady(sidecar);
		await device.publish("in/a", "x");
		await app.acceptedAtLeast(1);
		await sidecar.create("orders", { operation: "create", data: 2, metadata: { topic: "out/x" } });
		expect(texts(await device.received(1))).toEqual(["2"]);
		expect(broker.log.filter((text) => /New client connected .* as sidecar-orders /.test(text))).toHaveLength(1);
	});
});
