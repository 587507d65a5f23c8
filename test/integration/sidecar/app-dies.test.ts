import { expect, test } from "vitest";
import { eventually } from "../../support/eventually.js";
import { describeWith } from "../../support/left-out.js";
import type { Mosquitto } from "../../support/mosquitto.js";
import { logged, untilReady, untilReason } from "./component.js";
import { distinct, numbers, startLine, texts } from "./line.js";

/** PUBACKs that mosquitto has read from the sidecar, by its log. */
function acknowledgements({ log }: Mosquitto): number {
	return log.filter((text) => /Received PUBACK from sidecar-orders/.test(text)).length;
}

/** More at once than mosquitto has on its way by itself. */
const UNLIMITED = { maxInflightMessages: 0, logPackets: true };

describeWith("mosquitto", "an app that dies", () => {
	test.each(["hold", "drop"])(
		"F-85: killed with 200 messages in its hands it gets them again when it is back: no attempt burnt, nothing acknowledged (%s)",
		async (onRetriesExhausted) => {
			await using line = await startLine({
				broker: UNLIMITED,
				app: { end: "hang" },
				fields: { backOffMaxRetries: 0, onRetriesExhausted },
			});
			const { broker, app, sidecar, device } = line;
			await device.publishAll(200, (index) => ({ topic: "in/a", payload: String(index) }));
			await eventually(() => expect(app.requests()).toHaveLength(200));
			await app.kill();
			const { message, blocking } = await untilReason(sidecar, "app-unreachable");
			expect([message, blocking]).toEqual([
				expect.stringMatching(/^the app at 127\.0\.0\.1:\d+ does not listen since .*: its events wait$/),
				true,
			]);
			expect((await sidecar.ready()).status).toBe(503);
			expect((await fetch(`${sidecar.url}/v1.0/healthz/outbound`)).status).toBe(204);
			expect(acknowledgements(broker)).toBe(0);

			await app.answer({});
			await app.start();
			expect(distinct(texts(await app.acceptedAtLeast(200)))).toEqual(numbers(200));
			expect(app.requests()).toHaveLength(400);
			for (const { headers } of app.requests()) expect(headers).not.toHaveProperty("attempt");
			await eventually(() => expect(acknowledgements(broker)).toBe(200));
			await untilReady(sidecar);
			for (const code of ["held", "dropped", "delivery-failed"]) expect(logged(sidecar, code)).toEqual([]);
			expect(logged(sidecar, "app-unreachable")).toHaveLength(1);
			expect(broker.log.filter((text) => /New client connected .* as sidecar-orders /.test(text))).toHaveLength(1);
		},
	);

	test("F-37: one that dies of a message dies of it four times; then the message is held and the others flow", async () => {
		await using line = await startLine({ app: { rules: [{ payloads: ["deadly"], end: "exit" }] } });
		const { app, sidecar, device } = line;
		await device.publish("in/a", "deadly");
		await device.publishAll(30, (index) => ({ topic: "in/a", payload: String(index) }));
		for (let death = 1; death <= 4; death++) {
			await app.exited;
			if (death < 4) await app.start();
		}
		await sidecar.line(/the app died 4 times with this message in its hands.* code=held /);
		await app.answer({});
		await app.start();
		expect(distinct(texts(await app.acceptedAtLeast(31, 20_000)).filter((text) => text !== "deadly"))).toEqual(
			numbers(30),
		);
	}, 60_000);

	test("F-34: absent for a while under load it costs neither attempts nor the connection, and what waited comes in order", async () => {
		await using line = await startLine({
			broker: { logPackets: true },
			fields: { keepAlive: "1s" },
			app: { delayMs: [0, 3] },
		});
		const { broker, app, sidecar, device } = line;
		const load = device.publishAll(1_500, (index) => ({ topic: "in/a", payload: String(index) }));
		for (const share of [200, 600, 1_000]) {
			await app.acceptedAtLeast(share);
			await app.kill();
			await untilReason(sidecar, "app-unreachable");
			const pings = () => broker.log.filter((text) => /Received PINGREQ from sidecar-orders/.test(text)).length;
			const before = pings();
			await eventually(() => expect(pings()).toBeGreaterThan(before));
			await app.start();
		}
		await load;
		expect(distinct(texts(await app.acceptedAtLeast(1_500, 20_000)))).toEqual(numbers(1_500));
		for (const { headers } of app.requests()) expect(headers).not.toHaveProperty("attempt");
		expect(broker.log.filter((text) => /New client connected .* as sidecar-orders /.test(text))).toHaveLength(1);
		expect(logged(sidecar, "held")).toEqual([]);
	}, 60_000);
});
