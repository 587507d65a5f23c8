import { describe, expect, test } from "vitest";
import { eventually } from "../../support/eventually.js";
import type { ScriptedConnection } from "../../support/scripted-broker.js";
import { type ClientUnderTest, type Scene, startScene } from "./client-under-test.js";
import { pass, withFastTime } from "./fast-time.js";

withFastTime();

/** One message that is at the app, and the end of its connection. */
async function orphaned(scene: Scene, { messageId = 5, payload = "m" } = {}): Promise<ScriptedConnection> {
	const connection = await scene.subscribed();
	connection.publish("a/b", payload, { qos: 1, messageId });
	const delivery = await scene.it.delivered(1);
	delivery.started = true;
	delivery.running = true;
	connection.close();
	await eventually(() => expect(scene.it.orphanings).toBe(1));
	return connection;
}

function lastState({ deliveries }: ClientUnderTest): string | undefined {
	return deliveries.at(-1)?.state;
}

describe("an acknowledgement belongs to the connection that brought the message", () => {
	test("I3: one that comes after a reconnect sends nothing, also when the identifier is in use again", async () => {
		await using scene = await startScene();
		await orphaned(scene);
		const second = await scene.subscribed({ sessionPresent: true });
		second.publish("a/b", "another", { qos: 1, messageId: 5 });
		await scene.it.delivered(2);
		scene.it.deliveries[0]!.ack();
		await second.nothing(30);
		scene.it.deliveries[1]!.ack();
		await second.expect("puback", ({ messageId }) => messageId === 5);
		await second.nothing(20);
	});

	test("[MQTT-3.1.2-4] [MQTT-4.1.0-1] a redelivery takes over what the app has: not delivered again, acknowledged once, here", async () => {
		await using scene = await startScene();
		await orphaned(scene);
		const second = await scene.subscribed({ sessionPresent: true });
		second.publish("a/b", "m", { qos: 1, messageId: 5, dup: true });
		await eventually(() => expect(scene.it.adopted).toEqual(scene.it.deliveries));
		await second.nothing(20);
		scene.it.deliveries[0]!.ack();
		await second.expect("puback", ({ messageId }) => messageId === 5);
		await second.nothing(20);
		expect(scene.it.deliveries).toHaveLength(1);
		expect(scene.it.client.counters.adopted).toBe(1);
	});

	test("also when the broker numbers its redeliveries anew", async () => {
		await using scene = await startScene();
		await orphaned(scene);
		const second = await scene.subscribed({ sessionPresent: true });
		second.publish("a/b", "m", { qos: 1, messageId: 77, dup: true });
		await eventually(() => expect(scene.it.adopted).toHaveLength(1));
		scene.it.deliveries[0]!.ack();
		await second.expect("puback", ({ messageId }) => messageId === 77);
	});

	test("accepted while nothing was connected, it is acknowledged as soon as it comes again", async () => {
		await using scene = await startScene();
		await orphaned(scene);
		expect(scene.it.deliveries[0]!.ack()).toBe(true);
		const second = await scene.subscribed({ sessionPresent: true });
		second.publish("a/b", "m", { qos: 1, messageId: 5, dup: true });
		await second.expect("puback", ({ messageId }) => messageId === 5);
		expect(scene.it.deliveries).toHaveLength(1);
	});

	test("accepted when its connection was already breaking, so that its PUBACK never left: the same", async () => {
		await using scene = await startScene({ onDelivery: (delivery) => delivery.ack() });
		const first = await scene.subscribed();
		const wrong = [0xf0, 0x00];
		first.sendRaw([0x32, 7, 0, 3, 0x61, 0x2f, 0x62, 0, 5, ...wrong]);
		await first.closed;
		expect(first.received.map(({ packet }) => packet.cmd)).toEqual(["connect", "subscribe"]);
		const second = await scene.subscribed({ sessionPresent: true });
		second.publish("a/b", "", { qos: 1, messageId: 5, dup: true });
		await second.expect("puback", ({ messageId }) => messageId === 5);
		expect(scene.it.deliveries).toHaveLength(1);
	});

	test("a resend without DUP may be the same message: it waits until the app has ended with the first", async () => {
		await using scene = await startScene();
		await orphaned(scene);
		const second = await scene.subscribed({ sessionPresent: true });
		second.publish("a/b", "m", { qos: 1, messageId: 5 });
		const again = await scene.it.delivered(2);
		expect(again.deliverable).toBe(false);
		scene.it.deliveries[0]!.running = false;
		expect(again.deliverable).toBe(true);
		again.ack();
		await second.expect("puback", ({ messageId }) => messageId === 5);
	});
});

describe("a session that is lost", () => {
	test("[MQTT-3.1.2-6] a clean session loses it with each connection, as agreed: nothing is kept, nothing reported", async () => {
		await using scene = await startScene({ cleanSession: true });
		await orphaned(scene);
		const second = await scene.subscribed();
		expect(scene.it.deliveries[0]!.ack()).toBe(false);
		await second.nothing(30);
		expect(scene.it.reports.map(({ code }) => code)).not.toContain("session-lost");
	});

	test("what had not reached the app is delivered all the same, and nobody is told", async () => {
		await using scene = await startScene();
		const first = await scene.subscribed();
		first.publish("a/b", "waiting", { qos: 1, messageId: 5 });
		const delivery = await scene.it.delivered(1);
		first.close();
		const second = await scene.subscribed({ sessionPresent: false });
		expect(scene.it.died).toEqual([delivery]);
		expect(delivery).toMatchObject({ lost: true, deliverable: true });
		delivery.ack();
		await second.nothing(30);
	});

	test("the first connection of a process loses nothing, whatever the broker has", async () => {
		await using scene = await startScene();
		await scene.subscribed({ sessionPresent: false });
		await scene.it.reported("subscribed");
		expect(scene.it.reports.map(({ code }) => code)).not.toContain("session-lost");
	});
});

test("[MQTT-4.1.0-2] what waits for its redelivery is kept over short connections, and forgotten when one of 10 s did not bring it", async () => {
	await using scene = await startScene();
	const first = await scene.subscribed();
	first.publish("a/b", "m", { qos: 1, messageId: 5 });
	await scene.it.delivered(1);
	first.close();
	const short = await scene.subscribed({ sessionPresent: true });
	short.close();
	await eventually(() => expect(scene.it.orphanings).toBe(2));
	expect(lastState(scene.it)).toBe("orphan");
	const long = await scene.subscribed({ sessionPresent: true });
	await pass(10_500);
	long.close();
	await eventually(() => expect(lastState(scene.it)).toBe("dead"));
	const last = await scene.subscribed({ sessionPresent: true });
	last.publish("a/b", "m", { qos: 1, messageId: 5, dup: true });
	(await scene.it.delivered(2)).ack();
	await last.expect("puback");
});
