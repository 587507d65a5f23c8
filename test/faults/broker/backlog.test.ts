import { expect } from "vitest";
import { ClientUnderTest } from "../../integration/client/client-under-test.js";
import { numbers } from "../../integration/sidecar/line.js";
import { eventually } from "../../support/eventually.js";
import { startMosquitto } from "../../support/mosquitto.js";
import { connectDevice } from "../../support/mqtt-device.js";
import { fault } from "../support/fault.js";
import { startFaultProxy } from "../support/fault-proxy.js";

/** Makes the session and its subscription, and leaves. */
async function leaveSession(url: string): Promise<void> {
	await using it = new ClientUnderTest(url);
	it.client.subscribe();
	await it.client.connect();
	await it.reported("subscribed");
}

fault(
	{
		rows: ["F-55"],
		injected: "3,000 messages are queued while the client is away; it connects and does not subscribe yet",
	},
	"a backlog that comes before anybody has subscribed is delivered whole, in order, and acknowledged",
	async ({ seen }) => {
		await using mosquitto = await startMosquitto();
		await leaveSession(mosquitto.url);
		await using device = await connectDevice(mosquitto.url);
		await device.publishAll(3_000, (index) => ({ topic: "a/b", payload: String(index) }));
		await using it = new ClientUnderTest(mosquitto.url, { onDelivery: (delivery) => delivery.ack() });
		await it.client.connect();
		await it.delivered(3_000);
		expect(it.payloads).toEqual(numbers(3_000));
		await eventually(() => expect(it.client.status().outstanding).toBe(0));
		it.client.subscribe();
		await it.reported("subscribed");
		await device.publishAll(10, (index) => ({ topic: "a/b", payload: String(3_000 + index) }));
		await it.delivered(3_010);
		seen("3,000 of 3,000 delivered in order and acknowledged before SUBSCRIBE; 10 of 10 after it");
	},
	60_000,
);

fault(
	{
		rows: ["S-9"],
		injected: "SUBACK is held back by the proxy until a backlog of 20,000 has been delivered",
		scale: "20,000 instead of 100,000; every other message is acknowledged two turns later than it came",
	},
	"a backlog between CONNACK and SUBACK: all handled, none acknowledged unhandled, no stall",
	async ({ seen }) => {
		const count = 20_000;
		await using mosquitto = await startMosquitto();
		await leaveSession(mosquitto.url);
		await using device = await connectDevice(mosquitto.url);
		await device.publishAll(count, (index) => ({ topic: "a/b", payload: String(index) }));
		await using proxy = await startFaultProxy(mosquitto.port);
		const held = proxy.on("from server", "suback", 1, { packet: "held" });
		const handled = new Set<number>();
		await using it = new ClientUnderTest(proxy.url, {
			onDelivery: (delivery) => {
				const accept = () => {
					handled.add(delivery.packetId);
					delivery.ack();
				};
				if (delivery.packetId % 2 === 0) accept();
				else setImmediate(() => setImmediate(accept));
			},
		});
		it.client.subscribe();
		await it.client.connect();
		await held;
		await eventually(() => expect(it.deliveries.length).toBe(count), { timeoutMs: 30_000 });
		await eventually(() => expect(it.client.status().outstanding).toBe(0));
		expect(it.reports.map(({ code }) => code)).not.toContain("subscribed");
		const packetsSeen = () => proxy.history.flatMap((event) => (event.event === "packet" ? [event] : []));
		const acknowledgements = () => packetsSeen().filter(({ packet }) => packet.type === "puback").length;
		// The last of them may still be on their way to the proxy.
		await eventually(() => acknowledgements() >= count, { everyMs: 100 });
		const packets = packetsSeen();
		const open = new Set<number>();
		for (const { direction, packet } of packets) {
			if (direction === "from server" && packet.type === "publish") open.add(packet.id!);
			if (direction !== "from client" || packet.type !== "puback") continue;
			expect(open.delete(packet.id!)).toBe(true);
			expect(handled.has(packet.id!)).toBe(true);
		}
		expect(packets.filter(({ packet }) => packet.type === "puback")).toHaveLength(count);
		for (const link of proxy.links) link.release();
		await it.reported("subscribed");
		expect(it.payloads).toEqual(numbers(count));
		await device.publish("a/b", "last");
		await it.delivered(count + 1);
		seen(`${count} delivered in order and acknowledged, each after its handling, while SUBACK was outstanding`);
	},
	90_000,
);
