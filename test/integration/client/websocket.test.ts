import { expect, test } from "vitest";
import { eventually } from "../../support/eventually.js";
import { describeWith } from "../../support/left-out.js";
import { startMosquitto } from "../../support/mosquitto.js";
import { connectDevice } from "../../support/mqtt-device.js";
import { ClientUnderTest } from "./client-under-test.js";

async function talk(it: ClientUnderTest, deviceUrl: string): Promise<void> {
	it.client.subscribe();
	await it.client.connect();
	await it.reported("subscribed");
	await using device = await connectDevice(deviceUrl);
	await device.subscribe("out");
	await device.publishAll(300, (index) => ({ topic: "a/b", payload: String(index) }));
	await it.delivered(300);
	await eventually(() => expect(it.client.status().outstanding).toBe(0));
	const large = Buffer.alloc(1_000_000, 7);
	expect(await it.publish(large, { topic: "out" })).toBe("ok");
	expect(large.equals((await device.received(1))[0]!.payload)).toBe(true);
	await it.client.close();
}

describeWith("mosquitto", "over WebSocket, mosquitto", () => {
	test("[MQTT-6.0.0-1] [MQTT-6.0.0-2] [MQTT-6.0.0-3] messages go both ways, whatever frames they come in", async () => {
		await using mosquitto = await startMosquitto({ websocket: true });
		await using it = new ClientUnderTest(mosquitto.websocketUrl!, { onDelivery: (delivery) => delivery.ack() });
		await talk(it, mosquitto.url);
	});

	test("a broker that is killed is noticed, and found again", async () => {
		await using mosquitto = await startMosquitto({ websocket: true });
		await using it = new ClientUnderTest(mosquitto.websocketUrl!);
		await it.client.connect();
		await mosquitto.kill();
		await it.reported("disconnected");
		await mosquitto.start();
		await it.reported("connected", 2);
	});
});
