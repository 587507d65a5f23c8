import { describe, expect, test } from "vitest";
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
});
