import { expect, test } from "vitest";
import { eventually } from "../../support/eventually.js";
import { describeWith } from "../../support/left-out.js";
import { logged, untilReady, untilReason } from "./component.js";
import { Creator } from "./creator.js";
import { distinct, numbers, startLine, texts } from "./line.js";

describeWith("mosquitto", "a broker that keeps its connections and says nothing", () => {
	test("F-05: detected within one and a half keep-alives; create tells the truth meanwhile; all is well afterwards", async () => {
		await using line = await startLine({
			fields: { keepAlive: "2s", connectTimeout: "1s", publishTimeout: "1s" },
			app: { delayMs: [0, 5] },
		});
		const { broker, app, sidecar, device } = line;
		await device.subscribe("out/#");
		const creator = new Creator(sidecar, "orders", "out/x");
		creator.start(4);
		const load = device.publishAll(800, (index) => ({ topic: "in/a", payload: String(index) }));
		await app.acceptedAtLeast(200);
		const frozenAt = performance.now();
		broker.freeze();
		await sidecar.line(/no sign of life.* code=disconnected /);
		expect(performance.now() - frozenAt).toBeLessThan(4_000);
		const { message } = await untilReason(sidecar, "not-connected");
		expect(message).toMatch(
			/^not connected to tcp:\/\/127\.0\.0\.1:\d+ \(.*\): .*(no sign of life from the broker|no CONNACK within 1000 ms)/,
		);
		await eventually(() => expect(kinds(creator)).toEqual(new Set(["outcome unknown", "not sent"])));
		broker.thaw();
		await untilReady(sidecar);
		await load;
		expect(distinct(texts(await app.acceptedAtLeast(800, 20_000)))).toEqual(numbers(800));
		await creator.stop();
		await creator.checkAgainst(device, broker);
		expect(logged(sidecar, "disconnected")).toHaveLength(1);
	}, 60_000);

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

/** What its callers were told: `not sent`, `outcome unknown`. */
function kinds({ failures }: Creator): Set<string> {
	return new Set(failures.map(({ message }) => /(not sent|outcome unknown): /.exec(message)?.[1] ?? message));
}
