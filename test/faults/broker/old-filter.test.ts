import { expect } from "vitest";
import { component, logged, metric, untilReady } from "../../integration/sidecar/component.js";
import { texts } from "../../integration/sidecar/line.js";
import { startApp } from "../../support/app-process.js";
import { eventually } from "../../support/eventually.js";
import { startMosquitto } from "../../support/mosquitto.js";
import { connectDevice } from "../../support/mqtt-device.js";
import { startSidecar } from "../../support/sidecar-process.js";
import { fault } from "../support/fault.js";

fault(
	{
		rows: ["F-58"],
		injected: "restart with another topic while the session has messages for the old one; then with `unsubscribe`",
	},
	"messages of an old filter: delivered with one warning a topic that names unsubscribe; with it they are acknowledged undelivered and counted, and the filter is left",
	async ({ seen }) => {
		await using broker = await startMosquitto({ logPackets: true });
		await using app = await startApp();
		await using device = await connectDevice(broker.url);
		const start = (fields: Parameters<typeof component>[0]) =>
			startSidecar({ components: component({ url: broker.url, ...fields }), appPort: app.port });
		let published = 0;
		const publish = async (...topics: readonly string[]) => {
			for (const topic of topics) await device.publish(topic, `${topic} ${published++}`);
		};
		{
			await using sidecar = await start({ topic: "in/old/#" });
			await untilReady(sidecar);
			expect((await sidecar.stop()).code).toBe(0);
		}
		await publish("in/old/a", "in/old/a", "in/old/b");
		{
			await using sidecar = await start({ topic: "in/new/#" });
			await untilReady(sidecar);
			await app.acceptedAtLeast(3);
			const warnings = await eventually(() => {
				const lines = logged(sidecar, "stray-topic");
				expect(lines).toHaveLength(2);
				return lines;
			});
			for (const [index, topic] of ["in/old/a", "in/old/b"].entries()) {
				expect(warnings[index]).toMatch(/level=warning/);
				expect(warnings[index]).toContain(topic);
				expect(warnings[index]).toContain("unsubscribe");
			}
			expect(await metric(sidecar, "mqtt3_binding_strays_total{")).toBe(3);
			expect((await sidecar.stop()).code).toBe(0);
		}
		await publish("in/old/a", "in/old/b", "in/new/a");
		{
			await using sidecar = await start({ topic: "in/new/#", unsubscribe: '["in/old/#"]' });
			await untilReady(sidecar);
			await app.acceptedAtLeast(4);
			await broker.line(/Received UNSUBSCRIBE from sidecar-orders/);
			await eventually(async () => {
				const [, dropped] =
					/^mqtt3_binding_dropped_total\{.*unsubscribed.*\} (\d+)$/m.exec(await sidecar.metrics()) ?? [];
				expect(dropped).toBe("2");
			});
			await publish("in/old/a", "in/new/b");
			const payloads = texts(await app.acceptedAtLeast(5));
			expect(payloads.slice(3)).toEqual([expect.stringContaining("in/new/a"), expect.stringContaining("in/new/b")]);
			expect(logged(sidecar, "stray-topic")).toEqual([]);
			expect((await sidecar.stop()).code).toBe(0);
		}
		{
			// Nothing of it waits at the broker.
			await using sidecar = await start({ topic: "in/new/#" });
			await untilReady(sidecar);
			await publish("in/old/a", "in/new/c");
			expect(texts(await app.acceptedAtLeast(6)).at(-1)).toContain("in/new/c");
			expect(app.requests()).toHaveLength(6);
		}
		seen(
			"without unsubscribe 3 of 3 delivered with 2 warnings for 2 topics; with it UNSUBSCRIBE, 2 acknowledged undelivered and counted, and later messages of the old filter come no more",
		);
	},
	90_000,
);
