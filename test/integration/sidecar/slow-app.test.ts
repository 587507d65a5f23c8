import { expect, test } from "vitest";
import { eventually } from "../../support/eventually.js";
import { describeWith } from "../../support/left-out.js";
import { logged } from "./component.js";
import { distinct, numbers, startLine, texts } from "./line.js";

describeWith("mosquitto", "an app that is slow", () => {
	test.concurrent("F-35: slower than the keep-alive it costs no connection, and create works meanwhile", async () => {
		await using line = await startLine({
			broker: { logPackets: true },
			app: { delayMs: 4_000 },
			fields: { keepAlive: "1s" },
		});
		const { broker, app, sidecar, device } = line;
		await device.publishAll(30, (index) => ({ topic: "in/a", payload: String(index) }));
		await eventually(() => expect(app.requests()).toHaveLength(20));
		const started = performance.now();
		const answer = await sidecar.create("orders", { operation: "create", data: 1, metadata: { topic: "out/x" } });
		expect(answer.status).toBe(204);
		expect(performance.now() - started).toBeLessThan(1_000);
		expect(distinct(texts(await app.acceptedAtLeast(30, 20_000)))).toEqual(numbers(30));
		const own = broker.log.filter((text) => text.includes("sidecar-orders"));
		expect(own.filter((text) => /Received PINGREQ/.test(text)).length).toBeGreaterThan(4);
		expect(own.filter((text) => /New client connected/.test(text))).toHaveLength(1);
		expect(app.requests()).toHaveLength(30);
	}, 60_000);

	test.concurrent("F-36: it hangs on one message: after 10 s that is passed over, and the others flow on the same connection", async () => {
		await using line = await startLine({ app: { rules: [{ payloads: ["stuck"], end: "hang" }] } });
		const { broker, app, sidecar, device } = line;
		await device.publish("in/a", "stuck");
		await device.publishAll(60, (index) => ({ topic: "in/a", payload: String(index) }));
		// The rest of the broker's window.
		await app.acceptedAtLeast(19);
		const blockedAt = performance.now();
		await app.acceptedAtLeast(20, 15_000);
		expect(performance.now() - blockedAt).toBeGreaterThan(8_000);
		expect(distinct(texts(await app.acceptedAtLeast(60, 15_000)))).toEqual(numbers(60));
		expect(app.requests().filter(({ payload }) => String(payload) === "stuck")).toHaveLength(1);
		expect(broker.log.filter((text) => /New client connected .* as sidecar-orders /.test(text))).toHaveLength(1);
		for (const code of ["held", "dropped", "disconnected"]) expect(logged(sidecar, code)).toEqual([]);
	}, 60_000);

	test.concurrent("--app-max-concurrency and maxInFlight bound what is at the app at once, and all of it arrives", async () => {
		for (const [args, fields] of [
			[["--app-max-concurrency", "3"], {}],
			[[], { maxInFlight: 3 }],
		] as const) {
			await using line = await startLine({
				broker: { maxInflightMessages: 0 },
				app: { delayMs: [5, 15] },
				fields,
				sidecar: { args },
			});
			const { app, device } = line;
			await device.publishAll(100, (index) => ({ topic: "in/a", payload: String(index) }));
			expect(distinct(texts(await app.acceptedAtLeast(100)))).toEqual(numbers(100));
			expect(mostAtOnce(app.requests())).toBe(3);
		}
	}, 60_000);
});

/** The greatest number of requests that were at the app at the same time. */
function mostAtOnce(requests: readonly { readonly at: number; readonly answeredAt?: number }[]): number {
	const changes = requests
		.flatMap(({ at, answeredAt = Number.POSITIVE_INFINITY }) => [
			{ at, by: 1 },
			{ at: answeredAt, by: -1 },
		])
		.sort((one, other) => one.at - other.at || one.by - other.by);
	let now = 0;
	let most = 0;
	for (const { by } of changes) {
		now += by;
		most = Math.max(most, now);
	}
	return most;
}
