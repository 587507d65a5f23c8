import { expect, test } from "vitest";
import { eventually } from "../../support/eventually.js";
import { describeWith } from "../../support/left-out.js";
import { connectDevice } from "../../support/mqtt-device.js";
import { logged, untilReady } from "./component.js";
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
});
