import { expect } from "vitest";
import { ClientUnderTest, delayOf } from "../../integration/client/client-under-test.js";
import { pass, withFastTime } from "../../integration/client/fast-time.js";
import { eventually } from "../../support/eventually.js";
import { startMosquitto } from "../../support/mosquitto.js";
import { connectDevice } from "../../support/mqtt-device.js";
import { fault } from "../support/fault.js";
import { startFaultProxy } from "../support/fault-proxy.js";

withFastTime();

const HOUR_MS = 60 * 60 * 1_000;
/** So long that the jumps of the test's clock are no silence. */
const KEEP_ALIVE_MS = 65_535_000;

fault(
	{
		rows: ["F-57", "S-36"],
		injected: "10,000 retained messages at the first SUBSCRIBE; a reconnect in the first hour, twenty after it",
		scale: "an hour of an injected clock",
	},
	"retained messages: all delivered in order and acknowledged; sent again at a reconnect in the first hour, at none of twenty after it",
	async ({ seen }) => {
		const count = 10_000;
		await using mosquitto = await startMosquitto();
		await using proxy = await startFaultProxy(mosquitto.port);
		// Its clock jumps too.
		await using device = await connectDevice(mosquitto.url, { keepalive: 0 });
		await device.publishAll(count, (index) => ({ topic: `a/${index}`, payload: String(index), retain: true }));
		let greatest = 0;
		await using it = new ClientUnderTest(proxy.url, {
			keepAliveMs: KEEP_ALIVE_MS,
			onDelivery: (delivery) => {
				greatest = Math.max(greatest, it.client.status().outstanding);
				delivery.ack();
			},
		});
		it.client.subscribe();
		await it.client.connect();
		await eventually(() => expect(it.deliveries).toHaveLength(count), { timeoutMs: 20_000 });
		const first = it.payloads;
		expect(new Set(first).size).toBe(count);
		expect(it.deliveries.every(({ packet }) => packet.retain)).toBe(true);
		await eventually(() => expect(it.client.status().outstanding).toBe(0));
		const reconnect = async (times: number) => {
			const before = it.client.status().connects;
			// Its answer comes behind all acknowledgements.
			expect(await it.publish("read?", { topic: "elsewhere" })).toBe("ok");
			proxy.reset();
			await pass(delayOf(await it.reported("disconnected", times - 1)) + 1);
			await eventually(() => expect(it.client.status().connects).toBe(before + 1));
			expect((await it.reported("connected", times)).message).toContain("session resumed");
		};
		const subscribes = () =>
			proxy.history.filter((event) => event.event === "packet" && event.packet.type === "subscribe").length;
		await reconnect(2);
		await eventually(() => expect(it.deliveries).toHaveLength(2 * count), { timeoutMs: 20_000 });
		await eventually(() => expect(it.client.status().outstanding).toBe(0));
		expect(it.payloads.slice(count)).toEqual(first);
		expect(subscribes()).toBe(2);
		await pass(HOUR_MS + 10_000);
		for (let round = 0; round < 20; round++) {
			await reconnect(3 + round);
			await pass(11_000);
		}
		await device.publish("a/last", "last");
		await eventually(() => expect(it.payloads.at(-1)).toBe("last"));
		expect(it.deliveries).toHaveLength(2 * count + 1);
		expect(subscribes()).toBe(2);
		seen(
			`${count} delivered in one order at the first SUBSCRIBE and again at the second, at most ${greatest} un-acknowledged at once; 20 reconnects after the hour: no SUBSCRIBE, no retained message, and the next message arrived`,
		);
	},
	120_000,
);

fault(
	{
		rows: ["S-36"],
		injected: "one retained message, and 20 reconnects with cleanSession true",
		scale: "the modes of retainHandling are MQTT 5's",
	},
	"a retained message with a clean session: delivered once per connection, and acknowledged each time",
	async ({ seen }) => {
		await using mosquitto = await startMosquitto();
		await using proxy = await startFaultProxy(mosquitto.port);
		// Its clock jumps too.
		await using device = await connectDevice(mosquitto.url, { keepalive: 0 });
		await device.publish("a/r", "kept", { retain: true });
		await using it = new ClientUnderTest(proxy.url, {
			cleanSession: true,
			keepAliveMs: KEEP_ALIVE_MS,
			onDelivery: (delivery) => delivery.ack(),
		});
		it.client.subscribe();
		await it.client.connect();
		const pubacks = () =>
			proxy.history.filter((event) => event.event === "packet" && event.packet.type === "puback").length;
		for (let connection = 1; connection <= 21; connection++) {
			await it.delivered(connection);
			await eventually(() => expect(pubacks()).toBe(connection));
			if (connection > 20) break;
			proxy.reset();
			await pass(delayOf(await it.reported("disconnected", connection)) + 1);
			await it.reported("subscribed", connection + 1);
		}
		expect(it.payloads).toEqual(Array(21).fill("kept"));
		seen("21 connections, 21 deliveries, 21 PUBACKs");
	},
	60_000,
);
