import { describe, expect, test } from "vitest";
import { eventually } from "../../support/eventually.js";
import { describeWith } from "../../support/left-out.js";
import { startMosquitto } from "../../support/mosquitto.js";
import { connectDevice } from "../../support/mqtt-device.js";
import { ClientUnderTest } from "./client-under-test.js";

describeWith("mosquitto", "publishing to a real broker", () => {
	describe.each([0, 1, 2] as const)("at QoS %i", (qos) => {
		test("[MQTT-7.0.0-2] 200 messages at once arrive once each, in order", async () => {
			await using mosquitto = await startMosquitto();
			await using device = await connectDevice(mosquitto.url);
			await device.subscribe("a/#", 2);
			await using it = new ClientUnderTest(mosquitto.url, { listens: false, subscriptions: [] });
			await it.client.connect();
			const payloads = Array.from({ length: 200 }, (_, index) => String(index));
			const results = await Promise.all(payloads.map((payload) => it.publish(payload, { qos })));
			expect(new Set(results)).toEqual(new Set(["ok"]));
			const received = await device.received(200);
			expect(received.map(({ payload }) => String(payload))).toEqual(payloads);
		});
	});

	test("[MQTT-3.1.2-9] RETAIN is kept by the broker and cleared by an empty payload; the will is published when we vanish, not when we leave", async () => {
		await using mosquitto = await startMosquitto();
		const will = { topic: "a/will", payload: Buffer.from("gone"), qos: 1, retain: false } as const;
		await using it = new ClientUnderTest(mosquitto.url, { will });
		await it.client.connect();
		await it.publish("kept", { topic: "a/kept", retain: true });
		await using device = await connectDevice(mosquitto.url);
		await device.subscribe("a/#");
		expect((await device.received(1))[0]).toMatchObject({ topic: "a/kept", retain: true });
		await it.publish("", { topic: "a/kept", retain: true });
		await device.received(2);
		await it.client.close();
		await using vanishing = new ClientUnderTest(mosquitto.url, { clientId: "other", will });
		await vanishing.client.connect();
		// Its identifier in other hands is its end without a DISCONNECT.
		await using other = await connectDevice(mosquitto.url, { clientId: "other" });
		expect((await device.received(3))[2]).toMatchObject({ topic: "a/will", payload: Buffer.from("gone") });
		await other.close();
		await using late = await connectDevice(mosquitto.url);
		await late.subscribe("a/#");
		await it.publish("x").catch(() => {});
		expect(late.messages).toEqual([]);
	});

	test("F-86: a handler publishes through the same connection while the broker's window is one message", async () => {
		await using mosquitto = await startMosquitto({ maxInflightMessages: 1 });
		await using device = await connectDevice(mosquitto.url);
		await device.subscribe("answers");
		await using it = new ClientUnderTest(mosquitto.url, {
			onDelivery: (delivery) => {
				const payload = Buffer.from(delivery.packet.payload);
				void it.publish(payload, { topic: "answers" }).then((result) => result === "ok" && delivery.ack());
			},
		});
		it.client.subscribe();
		await it.client.connect();
		await it.reported("subscribed");
		await device.publishAll(20, (index) => ({ topic: "a/b", payload: String(index) }));
		const answers = await device.received(20);
		expect(answers.map(({ payload }) => String(payload))).toEqual(
			Array.from({ length: 20 }, (_, index) => String(index)),
		);
		await eventually(() => expect(it.client.status().outstanding).toBe(0));
	});

	test("F-87: 20 messages of 4 MiB at once pause the reading at the cap, and all of them arrive", async () => {
		await using mosquitto = await startMosquitto();
		const size = 4 * 1024 * 1024;
		await using it = new ClientUnderTest(mosquitto.url, { maxBuffered: 10_000_000 });
		it.client.subscribe();
		await it.client.connect();
		await it.reported("subscribed");
		await using device = await connectDevice(mosquitto.url);
		await device.publishAll(20, (index) => ({ topic: "a/b", payload: Buffer.alloc(size, index) }));
		await it.delivered(3);
		let most = 0;
		for (let next = 1; next <= 20; next++) {
			const delivery = await it.delivered(next);
			most = Math.max(most, it.client.status().buffered);
			delivery.ack();
		}
		expect(it.deliveries.map(({ packet }) => packet.payload[0])).toEqual(
			Array.from({ length: 20 }, (_, index) => index),
		);
		expect(most).toBeLessThan(10_000_000 + size + 1_000);
	});
});
