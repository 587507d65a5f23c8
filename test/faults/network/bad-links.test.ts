import { expect } from "vitest";
import { component, logged, metric, untilReady, untilReason } from "../../integration/sidecar/component.js";
import { Creator } from "../../integration/sidecar/creator.js";
import { distinct, numbers, texts } from "../../integration/sidecar/line.js";
import { startApp } from "../../support/app-process.js";
import { eventually } from "../../support/eventually.js";
import { startMosquitto } from "../../support/mosquitto.js";
import { connectDevice } from "../../support/mqtt-device.js";
import { startScriptedBroker } from "../../support/scripted-broker.js";
import { startSidecar } from "../../support/sidecar-process.js";
import { fault } from "../support/fault.js";
import { type FaultProxy, startFaultProxy } from "../support/fault-proxy.js";
import { Load } from "../support/load.js";

fault(
	{
		rows: ["F-06", "S-14"],
		injected: "a silent partition between sidecar and mosquitto under load in both directions, then whole again",
		scale: "keepAlive 2 s, three of them",
	},
	"a silent partition: detected within one and a half keep-alives, nothing lost, each publish succeeds or fails in time and arrives at most once",
	async ({ seen }) => {
		await using broker = await startMosquitto();
		await using proxy = await startFaultProxy(broker.port);
		await using app = await startApp({ delayMs: [0, 5] });
		await using device = await connectDevice(broker.url);
		await device.subscribe("out/#");
		const fields = { url: proxy.url, keepAlive: "2s", connectTimeout: "1s", publishTimeout: "1s" };
		await using sidecar = await startSidecar({ components: component(fields), appPort: app.port });
		await untilReady(sidecar);
		const creator = new Creator(sidecar, "orders", "out/x");
		creator.start(4);
		const load = device.publishAll(600, (index) => ({ topic: "in/a", payload: String(index) }));
		await app.acceptedAtLeast(100);
		await eventually(() => expect(creator.succeeded.length).toBeGreaterThan(10));
		const partedAt = performance.now();
		proxy.blackhole();
		await sidecar.line(/no sign of life.* code=disconnected /);
		const detectedMs = Math.round(performance.now() - partedAt);
		expect(detectedMs).toBeLessThan(4_000);
		expect((await untilReason(sidecar, "not-connected")).blocking).toBe(true);
		expect(await metric(sidecar, "mqtt3_binding_connected{")).toBe(0);
		await eventually(() => expect(performance.now() - partedAt).toBeGreaterThan(6_000), { timeoutMs: 10_000 });
		expect(proxy.links.length).toBe(1);
		const [old] = proxy.links;
		await proxy.heal();
		await untilReady(sidecar);
		// Our end of the old connection was gone long before.
		await eventually(() => expect(old?.closed).toBe(true));
		await load;
		expect(distinct(texts(await app.acceptedAtLeast(600, 20_000)))).toEqual(numbers(600));
		await creator.stop();
		await creator.checkAgainst(device, broker);
		const copies = texts(device.messages);
		const most = Math.max(...[...new Set(copies)].map((payload) => copies.filter((it) => it === payload).length));
		expect(most).toBe(1);
		expect(logged(sidecar, "disconnected")).toHaveLength(1);
		const twice = app.requests().length - 600;
		const inFlight = unacknowledged(proxy);
		expect(twice).toBeLessThanOrEqual(inFlight);
		seen(
			`detected after ${detectedMs} ms; 600 of 600 accepted, ${twice} twice where ${inFlight} were in flight; ${creator.succeeded.length} creates succeeded and arrived once, ${creator.failures.length} failed`,
		);
	},
	60_000,
);

fault(
	{
		rows: ["F-07"],
		injected: "the connection is reset 0.2 to 0.8 s after each CONNACK, six times, under load",
		scale: "six resets instead of an hour: the back-off grows to seconds by then",
	},
	"resets under load: nothing lost, and no more duplicates than were in flight at the resets",
	async ({ seen }) => {
		await using broker = await startMosquitto();
		await using proxy = await startFaultProxy(broker.port);
		await using app = await startApp({ delayMs: [0, 10] });
		await using device = await connectDevice(broker.url);
		await device.subscribe("out/#");
		const components = component({ url: proxy.url, publishTimeout: "2s" });
		await using sidecar = await startSidecar({ components, appPort: app.port });
		await untilReady(sidecar);
		const creator = new Creator(sidecar, "orders", "out/x");
		creator.start(2);
		const load = new Load(device, { everyMs: 2 });
		for (let reset = 1; reset <= 6; reset++) {
			await eventually(() => expect(logged(sidecar, "connected")).toHaveLength(reset), { timeoutMs: 40_000 });
			await new Promise((resolve) => setTimeout(resolve, 200 + Math.random() * 600));
			proxy.reset();
		}
		await eventually(() => expect(logged(sidecar, "connected")).toHaveLength(7), { timeoutMs: 40_000 });
		await untilReady(sidecar);
		const published = await load.stop();
		await creator.stop();
		expect(published).toBeGreaterThan(300);
		await eventually(() => expect(distinct(texts(app.accepted()))).toEqual(numbers(published)), { timeoutMs: 20_000 });
		await creator.checkAgainst(device, broker);
		const twice = app.requests().length - published;
		const inFlight = unacknowledged(proxy);
		expect(twice).toBeLessThanOrEqual(inFlight);
		seen(
			`${proxy.faults} resets; ${published} of ${published} messages accepted, ${twice} twice where ${inFlight} were in flight; ${creator.succeeded.length} creates succeeded and arrived, ${creator.failures.length} failed`,
		);
	},
	120_000,
);

fault(
	{
		rows: ["F-10"],
		injected: "1 s latency each way, 1 KB/s, single bytes, between sidecar and mosquitto",
		scale: "1 s instead of 2",
	},
	"a slow, narrow link: connected, subscribed, messages both ways, and no connection given up",
	async ({ seen }) => {
		await using broker = await startMosquitto();
		await using proxy = await startFaultProxy(broker.port);
		proxy.shape({ latencyMs: 1_000, bytesPerSecond: 1_024, sliceBytes: 1 });
		await using app = await startApp();
		await using device = await connectDevice(broker.url);
		await device.subscribe("out/#");
		const components = component({ url: proxy.url, keepAlive: "5s" });
		await using sidecar = await startSidecar({ components, appPort: app.port });
		await untilReady(sidecar, 30_000);
		await device.publishAll(10, (index) => ({ topic: "in/a", payload: String(index) }));
		const creates = Array.from({ length: 10 }, (_, index) =>
			sidecar.create("orders", { operation: "create", data: index, metadata: { topic: "out/x" } }),
		);
		expect((await Promise.all(creates)).map(({ status }) => status)).toEqual(Array(10).fill(204));
		expect(texts(await app.acceptedAtLeast(10, 20_000))).toEqual(numbers(10));
		expect(distinct(texts(await device.received(10)))).toEqual(numbers(10));
		// Two keep-alives of silence on this link.
		await expect
			.poll(() => proxy.history.filter((it) => it.event === "packet" && it.packet.type === "pingresp").length, {
				timeout: 20_000,
			})
			.toBeGreaterThanOrEqual(1);
		expect(logged(sidecar, "disconnected")).toEqual([]);
		expect(logged(sidecar, "connect-failed")).toEqual([]);
		expect(app.requests()).toHaveLength(10);
		seen("10 messages in, in order and once; 10 creates 204; PINGRESP read; no connection lost");
	},
	90_000,
);

fault(
	{ rows: ["F-07"], injected: "the connection is reset while twenty handlers work" },
	"reset while the app works: the redeliveries take over what runs, and the app is asked once",
	async ({ seen }) => {
		await using broker = await startScriptedBroker();
		await using app = await startApp({ delayMs: [3_000, 4_000] });
		await using sidecar = await startSidecar({ components: component({ url: broker.url }), appPort: app.port });
		await sidecar.line(/code=app-reachable /);
		const ids = Array.from({ length: 20 }, (_, index) => index + 1);
		const first = await broker.accept();
		await first.greet();
		await first.grant();
		for (const id of ids) first.publish("in/a", `${id}`, { qos: 1, messageId: id });
		await eventually(() => expect(app.requests()).toHaveLength(20));
		first.reset();
		const second = await broker.accept();
		await second.greet({ sessionPresent: true });
		await second.grant();
		for (const id of ids) second.publish("in/a", `${id}`, { qos: 1, messageId: id, dup: true });
		for (const id of ids) {
			await second.expect("puback", ({ messageId }) => expect(messageId).toBe(id));
			expect(texts(app.accepted())).toContain(`${id}`);
		}
		expect(app.requests()).toHaveLength(20);
		seen("20 redelivered, 20 calls of the app, 20 PUBACKs in order on the second connection, each after its 2xx");
	},
);

/** PUBLISHes of QoS 1 to the sidecar on connections that a fault ended, without a PUBACK that came before the fault. */
function unacknowledged({ history }: FaultProxy): number {
	const last = Math.max(...history.map(({ epoch }) => epoch));
	const faulty = new Set<number>();
	let count = 0;
	for (const event of history) {
		if (event.event === "fault") faulty.add(event.epoch);
		if (event.event !== "packet" || event.epoch === last) continue;
		const { type, qos } = event.packet;
		if (event.direction === "from server" && type === "publish" && qos === 1) count++;
		if (event.direction === "from client" && type === "puback" && !faulty.has(event.epoch)) count--;
	}
	return count;
}
