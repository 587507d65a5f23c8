import { expect, test } from "vitest";
import { eventually } from "../../support/eventually.js";
import { describeWith } from "../../support/left-out.js";
import { logged, untilReady } from "./component.js";
import { startLine } from "./line.js";

describeWith("mosquitto", "a broker that keeps its connections and says nothing", () => {
	test("F-72: a sidecar that was suspended finds its connection gone, and goes on without a false acknowledgement", async () => {
		await using line = await startLine({
			broker: { logPackets: true },
			fields: { keepAlive: "1s" },
			app: { rules: [{ pattern: "^slow", delayMs: 500 }] },
		});
		const { broker, app, sidecar, device } = line;
		await device.publishAll(5, (index) => ({ topic: "in/a", payload: `slow ${index}` }));
		await eventually(() => expect(app.requests()).toHaveLength(5));
		sidecar.signal("SIGSTOP");
		await broker.line(/Client sidecar-orders has exceeded timeout/);
		const lost = broker.log.length;
		sidecar.signal("SIGCONT");
		await untilReady(sidecar);
		await eventually(() => {
			const since = broker.log.slice(lost);
			expect(since.filter((text) => /Received PUBACK from sidecar-orders/.test(text))).toHaveLength(5);
		});
		// The answers were there when it woke: the redeliveries took over what was accepted.
		expect(app.requests()).toHaveLength(5);
		expect(logged(sidecar, "session-lost")).toEqual([]);
	}, 60_000);
});
