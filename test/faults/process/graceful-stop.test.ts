import { expect } from "vitest";
import { component } from "../../integration/sidecar/component.js";
import { Creator } from "../../integration/sidecar/creator.js";
import { distinct, numbers, startLine, texts } from "../../integration/sidecar/line.js";
import { eventually } from "../../support/eventually.js";
import { freePort } from "../../support/free-port.js";
import { startSidecar } from "../../support/sidecar-process.js";
import { fault } from "../support/fault.js";
import { startWatchedLine } from "../support/watched-line.js";

fault(
	{
		rows: ["F-92", "F-71"],
		injected: "SIGTERM in the middle of a burst that mosquitto sends without a window, five times",
	},
	"a graceful stop under load: it ends with 0, and what the app accepted does not come again",
	async ({ seen }) => {
		await using line = await startWatchedLine({ broker: { maxInflightMessages: 0 }, app: { delayMs: [0, 30] } });
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
		seen(`five stops, each with exit code 0; ${published} messages accepted, none twice`);
	},
	60_000,
);

fault(
	{
		rows: ["F-71", "S-27"],
		injected: "SIGTERM with 50 messages received, of which half hang at the app",
		scale: "a grace period of 1 s",
	},
	"a stop with handlers that do not end: 1 when the grace period is over; what they had comes again, nothing of it was acknowledged",
	async ({ seen }) => {
		await using line = await startWatchedLine({
			broker: { logPackets: true, maxInflightMessages: 0 },
			app: { rules: [{ pattern: "^stuck", end: "hang" }] },
			sidecar: { args: ["--dapr-graceful-shutdown-seconds", "1"] },
		});
		const { app, sidecar, device, broker } = line;
		await device.publishAll(25, (index) => ({ topic: "in/a", payload: `stuck ${index}` }));
		await device.publishAll(25, (index) => ({ topic: "in/a", payload: String(index) }));
		await app.acceptedAtLeast(25);
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
		expect(broker.log.filter((text) => /Received PUBACK from sidecar-orders/.test(text))).toHaveLength(25);
		await app.answer({});
		await sidecar.start();
		expect(texts(await app.acceptedAtLeast(50)).sort()).toEqual(
			[...numbers(25), ...numbers(25).map((text) => `stuck ${text}`)].sort(),
		);
		expect(app.requests()).toHaveLength(75);
		for (const { headers } of app.requests().slice(50)) expect(headers).toMatchObject({ duplicate: "true" });
		seen(
			`exit code 1 after ${Math.round(took)} ms; 25 finished ones acknowledged, 25 unfinished ones came again, marked`,
		);
	},
	60_000,
);

fault(
	{ rows: ["F-71"], injected: "SIGTERM while the app works on a message and 16 callers create" },
	"create in the middle of a stop: every call is answered, and truthfully",
	async ({ seen }) => {
		await using line = await startWatchedLine({ app: { rules: [{ payloads: ["slow"], delayMs: 300 }] } });
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
		seen(
			`${creator.succeeded.length} creates succeeded, ${creator.unanswered.length} found nobody, none of which arrived`,
		);
	},
	60_000,
);

fault(
	{ rows: ["F-71"], injected: "a second SIGTERM while the first one waits for handlers without limit" },
	"a second signal ends it at once, and everything comes again",
	async ({ seen }) => {
		await using line = await startWatchedLine({
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
		seen("exit code 1 at once; all five came again");
	},
);

fault(
	{ rows: ["F-71"], injected: "SIGTERM while the broker is away" },
	"stopped while the broker is away it ends with 0 all the same, at once",
	async ({ seen }) => {
		await using line = await startLine();
		const { broker, sidecar } = line;
		await broker.stop();
		await sidecar.line(/code=connect-failed /);
		const signalled = performance.now();
		expect(await sidecar.stop()).toEqual({ code: 0, signal: null });
		const took = Math.round(performance.now() - signalled);
		expect(took).toBeLessThan(1_500);
		seen(`exit code 0 after ${took} ms`);
	},
);

fault(
	{ rows: ["F-71"], injected: "SIGTERM before the first connection was made" },
	"stopped before it ever connected it ends with 0, at once",
	async ({ seen }) => {
		const components = component({ url: `mqtt://127.0.0.1:${await freePort()}` });
		await using sidecar = await startSidecar({ components });
		const signalled = performance.now();
		expect(await sidecar.stop()).toEqual({ code: 0, signal: null });
		const took = Math.round(performance.now() - signalled);
		expect(took).toBeLessThan(1_500);
		seen(`exit code 0 after ${took} ms`);
	},
);
