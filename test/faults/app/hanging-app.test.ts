import { expect } from "vitest";
import { logged } from "../../integration/sidecar/component.js";
import { distinct, numbers, startLine, texts } from "../../integration/sidecar/line.js";
import { eventually } from "../../support/eventually.js";
import { fault } from "../support/fault.js";
import { startWatchedLine } from "../support/watched-line.js";

fault(
	{ rows: ["F-36", "F-40"], injected: "an app that never answers one message, with 60 behind it" },
	"after 10 s that is passed over, and the others flow on the same connection",
	async ({ seen }) => {
		await using line = await startWatchedLine({ app: { rules: [{ payloads: ["stuck"], end: "hang" }] } });
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
		seen(
			`19 at once, the next after ${Math.round((performance.now() - blockedAt) / 1_000)} s; 60 of 60 accepted, the stuck one called once`,
		);
	},
	60_000,
);

fault(
	{
		rows: ["F-36"],
		injected:
			"an app that never answers one message, and one that sends a header and then nothing; handlerTimeout: 1s, drop after one retry",
	},
	"each is a failed attempt at its deadline, its connection is closed, others flow meanwhile",
	async ({ seen }) => {
		await using line = await startLine({
			app: {
				rules: [
					{ payloads: ["stuck"], end: "hang" },
					{ payloads: ["trickles"], bodySize: 10_000, bodyDelayMs: 600_000 },
				],
			},
			fields: { handlerTimeout: "1s", backOffMaxRetries: 1, backOffInterval: "50ms", onRetriesExhausted: "drop" },
		});
		const { app, sidecar, device } = line;
		await device.publish("in/a", "stuck");
		await device.publish("in/a", "trickles");
		await device.publishAll(60, (index) => ({ topic: "in/a", payload: String(index) }));
		await eventually(() => expect(logged(sidecar, "dropped")).toHaveLength(2), { timeoutMs: 15_000 });
		for (const text of logged(sidecar, "dropped")) expect(text).toContain("no answer within handlerTimeout (1000 ms)");
		expect(distinct(texts(app.accepted()))).toEqual(numbers(60));
		const tries = texts(app.requests()).filter((text) => text === "stuck" || text === "trickles");
		expect(tries.sort()).toEqual(["stuck", "stuck", "trickles", "trickles"]);
		expect((await sidecar.ready()).status).toBe(200);
		seen("2 attempts each, then dropped with the reason; 60 of 60 others accepted");
	},
	60_000,
);
