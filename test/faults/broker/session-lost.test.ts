import { expect } from "vitest";
import { ClientUnderTest, startScene } from "../../integration/client/client-under-test.js";
import { component, logged, metric, untilReady, untilReason } from "../../integration/sidecar/component.js";
import { distinct, numbers, texts } from "../../integration/sidecar/line.js";
import { startApp } from "../../support/app-process.js";
import { eventually } from "../../support/eventually.js";
import { startMosquitto } from "../../support/mosquitto.js";
import { connectDevice } from "../../support/mqtt-device.js";
import { startSidecar } from "../../support/sidecar-process.js";
import { fault } from "../support/fault.js";
import { startWatchedLine } from "../support/watched-line.js";

fault(
	{
		rows: ["F-03", "S-13"],
		injected: "mosquitto without persistence is stopped and started while the app has five messages",
	},
	"a session that is lost: said once, subscribed anew, what the app then accepts is acknowledged to nobody, and what is published afterwards arrives",
	async ({ seen }) => {
		await using line = await startWatchedLine({ broker: { logPackets: true }, app: { delayMs: 5_000 } });
		const { broker, app, sidecar, device } = line;
		await device.publishAll(5, (index) => ({ topic: "in/a", payload: String(index) }));
		await eventually(() => expect(app.requests()).toHaveLength(5));
		await broker.stop();
		const { message } = await untilReason(sidecar, "not-connected");
		expect(message).toMatch(/^not connected to tcp:\/\/127\.0\.0\.1:\d+ \(.*\): .*/);
		await broker.start();
		await sidecar.line(/code=session-lost /);
		await untilReady(sidecar);
		await app.acceptedAtLeast(5);
		await app.answer({});
		await using again = await connectDevice(broker.url);
		await again.publishAll(5, (index) => ({ topic: "in/a", payload: String(5 + index) }));
		expect(distinct(texts(await app.acceptedAtLeast(10)))).toEqual(numbers(10));
		expect(app.requests()).toHaveLength(10);
		const acknowledged = () => broker.log.filter((text) => /Received PUBACK from sidecar-orders/.test(text));
		await eventually(() => expect(acknowledged()).toHaveLength(5));
		expect(logged(sidecar, "session-lost")).toHaveLength(1);
		expect(logged(sidecar, "session-lost")[0]).toMatch(/level=error .*the broker no longer has our session/);
		expect(await metric(sidecar, "mqtt3_binding_sessions_lost_total{")).toBe(1);
		expect(await metric(sidecar, "mqtt3_binding_stale_acknowledgements_total{")).toBe(5);
		seen(
			"session_lost logged and counted once, 5 stale acknowledgements counted and none sent, 5 of 5 later messages arrived",
		);
	},
	60_000,
);

fault(
	{
		rows: ["F-03"],
		injected: "mosquitto without persistence is killed and started; the library's handlers have five messages",
	},
	"restarted without its data: the loss is reported, it is subscribed anew, and old acknowledgements go nowhere",
	async ({ seen }) => {
		await using mosquitto = await startMosquitto({ persistence: false });
		await using it = new ClientUnderTest(mosquitto.url);
		it.client.subscribe();
		await it.client.connect();
		await it.reported("subscribed");
		await using before = await connectDevice(mosquitto.url);
		await before.publishAll(5, (index) => ({ topic: "a/b", payload: String(index) }));
		await it.delivered(5);
		for (const delivery of it.deliveries) delivery.started = true;
		await mosquitto.kill();
		await eventually(() => expect(it.client.state).not.toBe("online"));
		await mosquitto.start();
		expect(await it.reported("session-lost")).toMatchObject({ level: "error" });
		await it.reported("subscribed", 2);
		expect(it.deliveries.map((delivery) => delivery.ack())).toEqual(Array(5).fill(false));
		await using after = await connectDevice(mosquitto.url);
		await after.publishAll(5, (index) => ({ topic: "a/b", payload: String(5 + index) }));
		await it.delivered(10);
		expect(it.payloads.slice(5)).toEqual(numbers(5, 5));
		seen("session-lost once; five acknowledgements of the old session refused; five new messages delivered");
	},
);

fault(
	{
		rows: ["F-03"],
		injected:
			"Session Present 0 where a session was expected, then a PUBLISH with the old identifier, topic and payload",
	},
	"[MQTT-3.1.2-6] a lost session takes the old rights with it, and what has the old identifier is a new message",
	async ({ seen }) => {
		await using scene = await startScene();
		const first = await scene.subscribed();
		first.publish("a/b", "m", { qos: 1, messageId: 5 });
		const delivery = await scene.it.delivered(1);
		delivery.started = true;
		delivery.running = true;
		first.close();
		const second = await scene.subscribed({ sessionPresent: false });
		expect(await scene.it.reported("session-lost")).toMatchObject({ level: "error" });
		second.publish("a/b", "m", { qos: 1, messageId: 5, dup: true });
		await scene.it.delivered(2);
		expect(scene.it.adopted).toEqual([]);
		expect(delivery.ack()).toBe(false);
		expect(scene.it.client.counters.stale).toBe(1);
		await second.nothing(30);
		scene.it.deliveries[1]!.ack();
		await second.expect("puback");
		seen("delivered as new, not adopted; only its own acceptance was acknowledged");
	},
);

fault(
	{
		rows: ["F-93"],
		injected: "mosquitto saves the session before the SUBSCRIBE, is killed after it, and is back with what it saved",
		scale: "saved at an orderly stop instead of by a long autosave",
	},
	"a broker that was killed comes back without our subscription in the session: it is made again",
	async ({ seen }) => {
		await using broker = await startMosquitto({ persistence: true });
		await using app = await startApp();
		await app.kill();
		await using sidecar = await startSidecar({ components: component({ url: broker.url }), appPort: app.port });
		await sidecar.line(/code=connected /);
		// The session is saved while nothing is subscribed yet.
		await broker.stop();
		await broker.start();
		await app.start();
		await untilReady(sidecar);
		await broker.kill();
		await broker.start();
		await sidecar.line(/session resumed/);
		await untilReady(sidecar);
		await using device = await connectDevice(broker.url);
		await device.publish("in/a", "heard");
		expect(texts(await app.acceptedAtLeast(1))).toEqual(["heard"]);
		expect(logged(sidecar, "session-lost")).toEqual([]);
		seen("Session Present 1 and yet a SUBSCRIBE; the next message arrived");
	},
	60_000,
);

fault(
	{ rows: ["F-93"], injected: "the same against the library's client, saved by SIGUSR1" },
	"killed and back with a session that was saved without the subscription: it is made again",
	async ({ seen }) => {
		await using mosquitto = await startMosquitto({ persistence: true });
		await using before = await connectDevice(mosquitto.url);
		await using it = new ClientUnderTest(mosquitto.url);
		await it.client.connect();
		process.kill(mosquitto.pid, "SIGUSR1");
		await mosquitto.line(/Saving in-memory database/);
		// Its answer comes after that work.
		await before.publish("elsewhere", "done?");
		it.client.subscribe();
		await it.reported("subscribed");
		await mosquitto.kill();
		await mosquitto.start();
		await it.reported("subscribed", 2);
		expect((await it.reported("connected", 2)).message).toContain("session resumed");
		await using after = await connectDevice(mosquitto.url);
		await after.publishAll(3, (index) => ({ topic: "a/b", payload: String(index) }));
		await it.delivered(3);
		seen("session resumed, subscribed a second time, three of three messages delivered");
	},
);

fault(
	{
		rows: ["F-84"],
		injected: "kill -9 of the sidecar after its CONNACK and before it has subscribed, then a start",
		scale: "between CONNACK and SUBSCRIBE; the CONNACK that is lost is F-83",
	},
	"killed after it has connected and before it has subscribed: at the next start it subscribes to the session that is there",
	async ({ seen }) => {
		await using broker = await startMosquitto({ logPackets: true });
		await using app = await startApp();
		// It listens and says nothing: nobody knows yet whether it wants the messages.
		app.freeze();
		await using sidecar = await startSidecar({ components: component({ url: broker.url }), appPort: app.port });
		await sidecar.line(/code=connected /);
		await sidecar.kill();
		expect(broker.log.some((text) => /Received SUBSCRIBE/.test(text))).toBe(false);
		app.thaw();
		const components = component({ url: broker.url, direction: "input" });
		await using next = await startSidecar({ components, appPort: app.port });
		await next.line(/session resumed/);
		await untilReady(next);
		await using device = await connectDevice(broker.url);
		await device.publish("in/a", "heard");
		expect(texts(await app.acceptedAtLeast(1))).toEqual(["heard"]);
		seen("no SUBSCRIBE before the kill; session resumed, subscribed, and the next message arrived");
	},
	60_000,
);
