import { expect, test } from "vitest";
import { eventually } from "../../support/eventually.js";
import { describeWith } from "../../support/left-out.js";
import { type Mosquitto, startMosquitto } from "../../support/mosquitto.js";
import { connectDevice, type MqttDevice } from "../../support/mqtt-device.js";
import { ClientUnderTest } from "./client-under-test.js";

const AUTO = { publishTimeoutMs: 20_000 };

/** A client that is subscribed. */
async function subscribed(url: string, changes: ConstructorParameters<typeof ClientUnderTest>[1] = {}) {
	const it = new ClientUnderTest(url, { ...AUTO, ...changes });
	it.client.subscribe();
	await it.client.connect();
	await it.reported("subscribed");
	return it;
}

async function numbers(device: MqttDevice, from: number, to: number): Promise<void> {
	await device.publishAll(to - from, (index) => ({ topic: "a/b", payload: String(from + index) }));
}

function range(from: number, to: number): string[] {
	return Array.from({ length: to - from }, (_, index) => String(from + index));
}

/** Lets it write its data to the file, as it does every half hour by itself. */
async function save(mosquitto: Mosquitto, device: MqttDevice): Promise<void> {
	process.kill(mosquitto.pid, "SIGUSR1");
	await mosquitto.line(/Saving in-memory database/);
	// Its answer comes after that work.
	await device.publish("elsewhere", "done?");
}

describeWith("mosquitto", "a broker that goes and comes back", () => {
	test("F-02: stopped and started with its data: the session is resumed, nothing is lost in either direction", async () => {
		await using mosquitto = await startMosquitto({ persistence: true, logPackets: true });
		const accepting = { at: Number.POSITIVE_INFINITY };
		await using it = await subscribed(mosquitto.url, {
			onDelivery: (delivery) => {
				if (it.deliveries.length < accepting.at) delivery.ack();
			},
		});
		await using before = await connectDevice(mosquitto.url);
		accepting.at = 490;
		await numbers(before, 0, 500);
		await it.delivered(500);
		await mosquitto.stop();
		const unread = 500 - mosquitto.log.filter((line) => line.includes("Received PUBACK from")).length;
		await eventually(() => expect(it.client.state).not.toBe("online"));
		const published = range(0, 20).map((payload) => it.publish(payload, { topic: "out" }));
		for (const delivery of it.deliveries) delivery.ack();
		accepting.at = Number.POSITIVE_INFINITY;
		await mosquitto.start();
		expect(new Set(await Promise.all(published))).toEqual(new Set(["ok"]));
		await using after = await connectDevice(mosquitto.url);
		await numbers(after, 500, 700);
		await eventually(() => expect(it.client.status().outstanding).toBe(0));
		await eventually(() => expect(it.payloads).toContain("699"));
		// What the broker had not read the acknowledgement of may come again, and nothing else.
		expect([...new Set(it.payloads)]).toEqual(range(0, 700));
		expect(it.deliveries.length).toBeLessThanOrEqual(700 + unread);
		expect(it.adopted.length).toBeGreaterThan(0);
		expect(mosquitto.log.join("\n")).not.toContain("already connected");
		expect(it.reports.map(({ code }) => code)).not.toContain("session-lost");
	});

	test("F-04: killed and back with the session as last saved: what was un-acknowledged in it comes again and is adopted, the rest does not come", async () => {
		await using mosquitto = await startMosquitto({ persistence: true });
		await using it = await subscribed(mosquitto.url);
		await using before = await connectDevice(mosquitto.url);
		await numbers(before, 0, 10);
		await it.delivered(10);
		for (const delivery of it.deliveries.slice(0, 4)) delivery.ack();
		await eventually(() => expect(it.client.status().outstanding).toBe(6));
		// Its answer comes after the broker has read those acknowledgements.
		expect(await it.publish("m", { topic: "elsewhere" })).toBe("ok");
		await save(mosquitto, before);
		await mosquitto.kill();
		await eventually(() => expect(it.client.state).not.toBe("online"));
		for (const delivery of it.deliveries.slice(4, 7)) delivery.ack();
		await mosquitto.start();
		await it.reported("subscribed", 2);
		await using after = await connectDevice(mosquitto.url);
		await numbers(after, 10, 20);
		await eventually(() => expect(it.payloads).toEqual(range(0, 20)));
		expect(it.adopted).toEqual(it.deliveries.slice(4, 10));
		for (const delivery of it.deliveries) delivery.ack();
		await eventually(() => expect(it.client.status().outstanding).toBe(0));
	});
});

describeWith("mosquitto", "a client that stops and starts", () => {
	test("F-92: what was acknowledged before an orderly end does not come back, what was not does", async () => {
		await using mosquitto = await startMosquitto({ maxInflightMessages: 0 });
		await using device = await connectDevice(mosquitto.url);
		let late: Promise<void>;
		{
			await using it = await subscribed(mosquitto.url);
			await numbers(device, 0, 2_000);
			await it.delivered(2_000);
			for (const [index, delivery] of it.deliveries.entries()) if (index % 2 === 0) delivery.ack();
			// More than the socket's buffers hold, so that some lies unread in them at the end.
			late = device.publishAll(200, () => ({ topic: "a/late", payload: Buffer.alloc(50_000) }));
			await it.client.close();
		}
		await late;
		await using again = await subscribed(mosquitto.url, { maxPayloadSize: 10_000 });
		await eventually(() => expect(again.deliveries.some(({ packet }) => packet.topic === "a/late")).toBe(true));
		const seen = again.deliveries
			.filter(({ packet }) => packet.topic === "a/b")
			.map(({ packet }) => String(packet.payload));
		expect(seen).toEqual(range(0, 2_000).filter((_, index) => index % 2 === 1));
	});

	test("[MQTT-3.1.2-6] with a clean session nothing waits for the next", async () => {
		await using mosquitto = await startMosquitto();
		await using device = await connectDevice(mosquitto.url);
		{
			await using it = await subscribed(mosquitto.url, { cleanSession: true });
			await numbers(device, 0, 5);
			await it.delivered(5);
		}
		await numbers(device, 5, 10);
		await using again = await subscribed(mosquitto.url, { cleanSession: true });
		await numbers(device, 10, 12);
		await again.delivered(2);
		expect(again.payloads).toEqual(range(10, 12));
	});
});
