import { describe, expect, test } from "vitest";
import { eventually } from "../../support/eventually.js";
import type { ScriptedConnection } from "../../support/scripted-broker.js";
import { type ClientUnderTest, startScene } from "./client-under-test.js";
import { pass, withFastTime } from "./fast-time.js";

withFastTime();

const CAP = 100_000;
const SETTINGS = { maxBuffered: CAP, keepAliveMs: 600_000 };

/** Sends messages of 30,000 bytes with these identifiers; four of them are beyond the cap. */
function send(connection: ScriptedConnection, ids: readonly number[], dup = false): void {
	for (const messageId of ids) connection.publish("a/b", Buffer.alloc(30_000, messageId), { qos: 1, messageId, dup });
}

function ids({ deliveries }: ClientUnderTest): number[] {
	return deliveries.map(({ packetId }) => packetId);
}

async function pubAcks(connection: ScriptedConnection, expected: readonly number[]): Promise<void> {
	for (const id of expected) await connection.expect("puback", ({ messageId }) => messageId === id);
}

describe("F-87: beyond maxBuffered", () => {
	test("the socket is not read until the app has made room, and then all comes in order", async () => {
		await using scene = await startScene(SETTINGS);
		const connection = await scene.subscribed();
		const all = Array.from({ length: 40 }, (_, index) => index + 1);
		for (const id of all) {
			send(connection, [id]);
			await pass(50);
		}
		const held = scene.it.deliveries.length;
		expect(held).toBeGreaterThanOrEqual(4);
		expect(held).toBeLessThan(8);
		const started = performance.now();
		for (let next = 0; next < 40; next++) (await scene.it.delivered(next + 1)).ack();
		await pubAcks(connection, all);
		expect(ids(scene.it)).toEqual(all);
		expect(performance.now() - started).toBeLessThan(5_000);
		expect(scene.it.client.counters.skipped).toBe(0);
	});

	test("a SUBSCRIBE makes it read on at once", async () => {
		await using scene = await startScene({ ...SETTINGS, subscribes: false });
		const connection = await scene.online({ sessionPresent: true });
		send(connection, [1, 2, 3, 4]);
		await scene.it.delivered(4);
		await pass(100);
		scene.it.client.subscribe();
		await connection.grant();
		await scene.it.reported("subscribed");
	});

	test("and a publish of a handler in whose hands everything is", async () => {
		await using scene = await startScene({
			...SETTINGS,
			onDelivery: (delivery) => void scene.it.publish("answer").then((result) => result === "ok" && delivery.ack()),
		});
		const connection = await scene.subscribed();
		send(connection, [1, 2, 3, 4]);
		for (let count = 0; count < 4; count++) {
			connection.send({ cmd: "puback", messageId: (await connection.expect("publish")).messageId! });
		}
		await pubAcks(connection, [1, 2, 3, 4]);
	});

	test("[MQTT-3.14.4-1] what was passed by is fetched with a new connection once half the cap is free, after DISCONNECT, at most once a minute", async () => {
		await using scene = await startScene(SETTINGS);
		const first = await scene.subscribed();
		const overrun = async (connection: ScriptedConnection, known: readonly number[], beyond: number) => {
			send(connection, known, connection !== first);
			await eventually(() => expect(scene.it.client.status().outstanding).toBe(4));
			const published = scene.it.publish("meanwhile");
			const { messageId } = await connection.expect("publish");
			send(connection, [beyond]);
			connection.send({ cmd: "puback", messageId: messageId! });
			expect(await published).toBe("ok");
		};
		await overrun(first, [1, 2, 3, 4], 5);
		expect(scene.it.client.counters.skipped).toBe(1);
		scene.it.deliveries[0]!.ack();
		await pubAcks(first, [1]);
		await pass(3_000);
		expect(scene.it.client.state).toBe("online");
		for (const delivery of scene.it.deliveries.slice(1, 3)) delivery.ack();
		await pubAcks(first, [2, 3]);
		await pass(1_500);
		await first.expect("disconnect");
		expect(await first.closed).toMatchObject({ how: "fin" });
		expect((await scene.it.reported("disconnected")).message).toContain("resumed to fetch");

		const second = await scene.subscribed({ sessionPresent: true });
		await overrun(second, [4, 5, 6, 7], 8);
		expect(ids(scene.it)).toEqual([1, 2, 3, 4, 5, 6, 7]);
		expect(scene.it.adopted).toEqual([scene.it.deliveries[3]]);
		for (const delivery of scene.it.deliveries) delivery.ack();
		await pubAcks(second, [4, 5, 6, 7]);
		await pass(50_000);
		expect(scene.it.client.state).toBe("online");
		await pass(12_000);
		await second.expect("disconnect");
		const third = await scene.subscribed({ sessionPresent: true });
		send(third, [8], true);
		(await scene.it.delivered(8)).ack();
		await pubAcks(third, [8]);
	});

	test("QoS 0 has a quarter of it and is dropped beyond", async () => {
		await using scene = await startScene(SETTINGS);
		const connection = await scene.subscribed();
		for (let count = 0; count < 10; count++) connection.publish("a/b", Buffer.alloc(5_000, count));
		await eventually(() => expect(scene.it.client.counters.qos0Dropped).toBe(6));
		expect(scene.it.deliveries).toHaveLength(4);
		scene.it.deliveries[0]!.ack();
		connection.publish("a/b", Buffer.alloc(5_000));
		await scene.it.delivered(5);
		connection.publish("a/b", "QoS 1 as ever", { qos: 1, messageId: 1 });
		(await scene.it.delivered(6)).ack();
		await pubAcks(connection, [1]);
	});
});
