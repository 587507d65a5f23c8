import { expect, test } from "vitest";
import { eventually } from "../../support/eventually.js";
import { describeWith } from "../../support/left-out.js";
import { Creator } from "./creator.js";
import { distinct, numbers, startLine, texts } from "./line.js";

describeWith("mosquitto", "a graceful stop", () => {
	test("F-92: under load, again and again: it ends with 0, and what the app accepted does not come again", async () => {
		await using line = await startLine({ broker: { maxInflightMessages: 0 }, app: { delayMs: [0, 30] } });
		const { app, sidecar, device } = line;
		let published = 0;
		const publish = (count: number) => {
			const from = published;
			published += count;
			return device.publishAll(count, (index) => ({ topic: "in/a", payload: `${from + index}`.padEnd(200) }));
		};
		for (let stop = 1; stop <= 5; stop++) {
			const load = publish(1_500);
			await app.acceptedAtLeast(published - 1_000);
			const signalled = performance.now();
			expect(await sidecar.stop()).toEqual({ code: 0, signal: null });
			expect(performance.now() - signalled).toBeLessThan(3_000);
			expect(
				app.requests().every(({ status }) => status === 200),
				"it waited for what was at the app",
			).toBe(true);
			await load;
			await sidecar.start();
		}
		await app.acceptedAtLeast(published);
		const requests = texts(app.requests()).map((text) => text.trim());
		expect(distinct(requests)).toEqual(numbers(published));
		expect(requests).toHaveLength(published);
	}, 60_000);

	test("F-71: with handlers that do not end: 1 when the grace period is over; what they had comes again, nothing of it was acknowledged", async () => {
		await using line = await startLine({
			broker: { logPackets: true },
			app: { rules: [{ pattern: "^stuck", end: "hang" }] },
			sidecar: { args: ["--dapr-graceful-shutdown-seconds", "1"] },
		});
		const { app, sidecar, device, broker } = line;
		await device.publishAll(5, (index) => ({ topic: "in/a", payload: `stuck ${index}` }));
		await device.publishAll(5, (index) => ({ topic: "in/a", payload: String(index) }));
		await app.acceptedAtLeast(5);
		const signalled = performance.now();
		expect(await sidecar.stop()).toEqual({ code: 1, signal: null });
		const took = performance.now() - signalled;
		expect(took).toBeGreaterThan(950);
		expect(took).toBeLessThan(3_000);
		expect(sidecar.output.join("\n")).toContain(
			"the grace period ended with deliveries still at the app; the broker keeps them",
		);
		await broker.line(/Client sidecar-orders disconnected\./);
		// Those behind the stuck ones were passed by at the end, so that they do not come again.
		expect(broker.log.filter((text) => /Received PUBACK from sidecar-orders/.test(text))).toHaveLength(5);
		await app.answer({});
		await sidecar.start();
		expect(texts(await app.acceptedAtLeast(10)).sort()).toEqual(
			[...numbers(5), ...numbers(5).map((text) => `stuck ${text}`)].sort(),
		);
		expect(app.requests()).toHaveLength(15);
		for (const { headers } of app.requests().slice(10)) expect(headers).toMatchObject({ duplicate: "true" });
	}, 60_000);

	test("create in the middle of a stop: every call is answered, and truthfully", async () => {
		await using line = await startLine({ app: { rules: [{ payloads: ["slow"], delayMs: 300 }] } });
		const { app, sidecar, device, broker } = line;
		await device.subscribe("out/#");
		const creator = new Creator(sidecar, "orders", "out/x");
		creator.start(16);
		await eventually(() => expect(creator.succeeded.length).toBeGreaterThan(100));
		await device.publish("in/a", "slow");
		await eventually(() => expect(app.requests()).toHaveLength(1));
		sidecar.signal("SIGTERM");
		await sidecar.line(/stopping: SIGTERM/);
		const before = creator.succeeded.length;
		expect(await sidecar.exited).toEqual({ code: 0, signal: null });
		await creator.stop();
		expect(creator.succeeded.length, "the API serves until the handlers end").toBeGreaterThan(before);
		await creator.checkAgainst(device, broker);
		const arrived = new Set(texts(device.messages));
		for (const { payload, error } of creator.unanswered) {
			expect(arrived.has(payload), `${payload} arrived, its caller saw ${error}`).toBe(false);
		}
	}, 60_000);

	test("a second signal ends it at once, and everything comes again", async () => {
		await using line = await startLine({
			app: { end: "hang" },
			sidecar: { args: ["--dapr-graceful-shutdown-seconds", "0"] },
		});
		const { app, sidecar, device } = line;
		await device.publishAll(5, (index) => ({ topic: "in/a", payload: String(index) }));
		await eventually(() => expect(app.requests()).toHaveLength(5));
		sidecar.signal("SIGTERM");
		await sidecar.line(/stopping: SIGTERM/);
		expect(await sidecar.stop()).toEqual({ code: 1, signal: null });
		await app.answer({});
		await sidecar.start();
		expect(texts(await app.acceptedAtLeast(5)).sort()).toEqual(numbers(5));
	});

	test("stopped while the broker is away it ends with 0 all the same, at once", async () => {
		await using line = await startLine();
		const { broker, sidecar } = line;
		await broker.stop();
		await sidecar.line(/code=connect-failed /);
		const signalled = performance.now();
		expect(await sidecar.stop()).toEqual({ code: 0, signal: null });
		expect(performance.now() - signalled).toBeLessThan(1_500);
	});
});
