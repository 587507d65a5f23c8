import { describe, expect, test } from "vitest";
import type { ScriptedConnection } from "../../support/scripted-broker.js";
import { startScene } from "./client-under-test.js";
import { pass, withFastTime } from "./fast-time.js";

withFastTime();

/** Publishes one message for each identifier, in their order. */
function publishAll(connection: ScriptedConnection, ids: readonly number[]): void {
	for (const messageId of ids) connection.publish("a/b", `m${messageId}`, { qos: 1, messageId });
}

/** Takes the PUBACKs that come next. */
async function pubAcks(connection: ScriptedConnection, count: number): Promise<number[]> {
	const ids: number[] = [];
	while (ids.length < count) ids.push((await connection.expect("puback")).messageId!);
	return ids;
}

describe("acknowledgements", () => {
	test("[MQTT-4.6.0-2] [MQTT-2.3.1-6] PUBACKs leave in the order of arrival with their PUBLISHes' identifiers, however the app ends", async () => {
		await using scene = await startScene();
		const connection = await scene.subscribed();
		const ids = [7, 3, 65_535, 1, 20];
		publishAll(connection, ids);
		await scene.it.delivered(5);
		for (const index of [4, 2, 3, 1]) {
			scene.it.deliveries[index]!.ack();
			await connection.nothing(5);
		}
		scene.it.deliveries[0]!.ack();
		expect(await pubAcks(connection, 5)).toEqual(ids);
		await connection.nothing(20);
	});

	test("[MQTT-4.5.0-2] [MQTT-3.3.4-1] what the app accepted is acknowledged once, what it did not is not, and QoS 0 never is", async () => {
		await using scene = await startScene();
		const connection = await scene.subscribed();
		connection.publish("a/b", "qos 0");
		publishAll(connection, [1, 2]);
		await scene.it.delivered(3);
		for (const index of [0, 1, 1]) scene.it.deliveries[index]!.ack();
		expect(await pubAcks(connection, 1)).toEqual([1]);
		await connection.nothing(30);
		expect(scene.it.client.status().outstanding).toBe(1);
	});

	test("a delivery that is passed over holds nobody up, and its own PUBACK leaves when it is accepted", async () => {
		await using scene = await startScene();
		const connection = await scene.subscribed();
		publishAll(connection, [1, 2, 3]);
		await scene.it.delivered(3);
		scene.it.deliveries[1]!.ack();
		scene.it.deliveries[2]!.ack();
		await connection.nothing(20);
		scene.it.deliveries[0]!.passOver();
		expect(await pubAcks(connection, 2)).toEqual([2, 3]);
		scene.it.deliveries[0]!.ack();
		expect(await pubAcks(connection, 1)).toEqual([1]);
	});

	test("[MQTT-4.6.0-2] passed over and accepted, it still waits for what arrived before it and keeps its place", async () => {
		await using scene = await startScene();
		const connection = await scene.subscribed();
		publishAll(connection, [1, 2]);
		await scene.it.delivered(2);
		scene.it.deliveries[1]!.passOver();
		scene.it.deliveries[1]!.ack();
		await connection.nothing(20);
		scene.it.deliveries[0]!.ack();
		expect(await pubAcks(connection, 2)).toEqual([1, 2]);
	});

	test("[MQTT-4.6.0-2] with strict order nothing is passed over, on request or by time", async () => {
		await using scene = await startScene({ ackOrder: "strict" });
		const connection = await scene.subscribed();
		publishAll(connection, [1, 2]);
		await scene.it.delivered(2);
		scene.it.deliveries[0]!.passOver();
		scene.it.deliveries[1]!.ack();
		await pass(29_000);
		await connection.nothing(0);
		scene.it.deliveries[0]!.ack();
		expect(await pubAcks(connection, 2)).toEqual([1, 2]);
	});
});

describe("F-36: an app that hangs", () => {
	test("is waited for 10 s, then all that hangs is passed over together for what was accepted behind it", async () => {
		await using scene = await startScene();
		const connection = await scene.subscribed();
		publishAll(connection, [1, 2, 3, 4, 5]);
		await scene.it.delivered(5);
		scene.it.deliveries[3]!.ack();
		await pass(9_000);
		await connection.nothing(0);
		await pass(2_500);
		expect(await pubAcks(connection, 1)).toEqual([4]);
		for (const index of [4, 2, 0]) scene.it.deliveries[index]!.ack();
		expect(await pubAcks(connection, 3)).toEqual([1, 3, 5]);
		scene.it.deliveries[1]!.ack();
		expect(await pubAcks(connection, 1)).toEqual([2]);
	});

	test("each accepted one has its own 10 s: what is behind it is not passed over with it", async () => {
		await using scene = await startScene();
		const connection = await scene.subscribed();
		publishAll(connection, [1, 2, 3, 4]);
		await scene.it.delivered(4);
		scene.it.deliveries[1]!.ack();
		await pass(6_000);
		scene.it.deliveries[3]!.ack();
		await pass(5_500);
		expect(await pubAcks(connection, 1)).toEqual([2]);
		await pass(3_500);
		await connection.nothing(0);
		await pass(2_500);
		expect(await pubAcks(connection, 1)).toEqual([4]);
	});

	test("does not keep the time of one connection against the next", async () => {
		await using scene = await startScene();
		const first = await scene.subscribed();
		publishAll(first, [1, 2]);
		(await scene.it.delivered(2)).ack();
		await pass(9_000);
		first.close();
		const second = await scene.subscribed({ sessionPresent: true });
		for (const messageId of [1, 2]) second.publish("a/b", `m${messageId}`, { qos: 1, messageId, dup: true });
		await pass(8_000);
		await second.nothing(0);
		await pass(3_500);
		expect(await pubAcks(second, 1)).toEqual([2]);
	});
});

test("I16: the reader never waits for the app: answers to publishes come through behind any number of deliveries", async () => {
	await using scene = await startScene();
	const connection = await scene.subscribed();
	publishAll(
		connection,
		Array.from({ length: 3_000 }, (_, index) => index + 1),
	);
	await scene.it.delivered(3_000);
	const published = scene.it.publish("meanwhile");
	const { messageId } = await connection.expect("publish");
	connection.send({ cmd: "puback", messageId: messageId! });
	expect(await published).toBe("ok");
	expect(scene.it.client.status()).toMatchObject({ outstanding: 3_000, pending: 0 });
});
