import { describe, expect, test } from "vitest";
import { eventually } from "../../support/eventually.js";
import { freePort } from "../../support/free-port.js";
import { ClientUnderTest, delayOf, startScene } from "./client-under-test.js";
import { pass, withFastTime } from "./fast-time.js";

withFastTime();

describe("close()", () => {
	test("[MQTT-3.14.4-1] sends what can be acknowledged, then DISCONNECT, then FIN", async () => {
		await using scene = await startScene();
		const connection = await scene.subscribed();
		for (const messageId of [1, 2, 3]) connection.publish("a/b", "m", { qos: 1, messageId });
		await scene.it.delivered(3);
		scene.it.deliveries[1]!.ack();
		await connection.nothing(20);
		const closed = scene.it.client.close();
		await connection.expect("puback", ({ messageId }) => messageId === 2);
		await connection.expect("disconnect");
		expect(await connection.closed).toMatchObject({ how: "fin" });
		await closed;
		expect(scene.it.client.state).toBe("closed");
		await scene.broker.nobody(50);
	});

	test("with strict order nothing is passed over for it", async () => {
		await using scene = await startScene({ ackOrder: "strict" });
		const connection = await scene.subscribed();
		for (const messageId of [1, 2]) connection.publish("a/b", "m", { qos: 1, messageId });
		(await scene.it.delivered(2)).ack();
		const closed = scene.it.client.close();
		await connection.expect("disconnect");
		await closed;
	});

	test("[MQTT-3.14.4-2] after DISCONNECT nothing leaves: no late acknowledgement, publish, PINGREQ or SUBSCRIBE", async () => {
		await using scene = await startScene({ subscribes: false, keepAliveMs: 1_000 });
		const connection = await scene.online({ sessionPresent: true });
		connection.publish("a/b", "m", { qos: 1, messageId: 1 });
		connection.publish("a/b", "m", { qos: 2, messageId: 2 });
		await scene.it.delivered(2);
		connection.holdOpen = true;
		const closed = scene.it.client.close();
		await connection.expect("disconnect");
		for (const delivery of scene.it.deliveries) delivery.ack();
		scene.it.client.subscribe();
		expect(await scene.it.publish("late")).toBe("not sent: the client is closed");
		connection.publish("a/b", "late", { qos: 1, messageId: 3 });
		connection.send({ cmd: "pubrel", messageId: 2 });
		await closed;
		expect(connection.received.at(-1)!.packet.cmd).toBe("disconnect");
		expect(scene.it.deliveries).toHaveLength(2);
	});

	test("reads on to the broker's FIN: what comes meanwhile does not make a reset of it", async () => {
		await using scene = await startScene();
		const connection = await scene.subscribed();
		connection.holdOpen = true;
		const closed = scene.it.client.close();
		await connection.expect("disconnect");
		await connection.closed;
		let isClosed = false;
		void closed.then(() => {
			isClosed = true;
		});
		for (let count = 0; count < 200; count++) connection.publish("a/b", Buffer.alloc(10_000), { qos: 0 });
		await new Promise((resolve) => setImmediate(resolve));
		expect(isClosed).toBe(false);
		connection.close();
		await closed;
	});

	test("a broker that never closes is waited for no longer than 1 s", async () => {
		await using scene = await startScene();
		const connection = await scene.subscribed();
		connection.holdOpen = true;
		let isClosed = false;
		const closed = scene.it.client.close().then(() => {
			isClosed = true;
		});
		await connection.closed;
		await pass(800);
		expect(isClosed).toBe(false);
		await pass(300);
		await closed;
	});

	test("writes no publish any more: what waits is not sent, what is unanswered has an unknown outcome", async () => {
		await using scene = await startScene();
		const connection = await scene.subscribed();
		const written = scene.it.publish("written");
		await connection.expect("publish");
		const waiting = scene.it.publish("waiting");
		const closed = scene.it.client.close();
		await connection.expect("disconnect");
		expect(await written).toBe("outcome unknown: the client was closed");
		expect(await waiting).toBe("not sent: the client was closed");
		await closed;
	});

	test("ends a connection whose reading is paused in the same order", async () => {
		await using scene = await startScene({ maxBuffered: 10_000 });
		const connection = await scene.subscribed();
		connection.publish("a/b", Buffer.alloc(20_000), { qos: 1, messageId: 1 });
		await scene.it.delivered(1);
		connection.publish("a/b", Buffer.alloc(500_000), { qos: 1, messageId: 2 });
		scene.it.deliveries[0]!.ack();
		const closed = scene.it.client.close();
		await connection.expect("puback", ({ messageId }) => messageId === 1);
		await connection.expect("disconnect");
		expect(await connection.closed).toMatchObject({ how: "fin" });
		await closed;
	});

	test("is idempotent, and works before connect(), while connecting and between attempts", async () => {
		await using unused = new ClientUnderTest("mqtt://127.0.0.1:1");
		await unused.client.close();
		await using scene = await startScene();
		await (await scene.broker.accept()).expect("connect");
		await Promise.all([scene.it.client.close(), scene.it.client.close()]);
		await using absent = new ClientUnderTest(`mqtt://127.0.0.1:${await freePort()}`);
		absent.client.connect().catch(() => {});
		await absent.reported("connect-failed");
		await absent.client.close();
		expect(absent.client.state).toBe("closed");
		expect([unused, absent].map(({ states }) => states.at(-1))).toEqual(["closed", "closed"]);
	});
});

test("close() does not wait for an attempt that is to come", async () => {
	await using scene = await startScene();
	await (await scene.broker.accept()).greet({ returnCode: 5 });
	expect(delayOf(await scene.it.reported("connect-refused"))).toBeGreaterThanOrEqual(2_500);
	const started = performance.now();
	await scene.it.client.close();
	expect(performance.now() - started).toBeLessThan(2_000);
});

describe("stopIntake()", () => {
	test("F-71: what comes from then on is discarded un-acknowledged; acknowledgements and answers to publishes go on", async () => {
		await using scene = await startScene();
		const connection = await scene.subscribed();
		connection.publish("a/b", "at the app", { qos: 1, messageId: 1 });
		await scene.it.delivered(1);
		scene.it.client.stopIntake();
		connection.publish("a/b", "late", { qos: 1, messageId: 2 });
		connection.publish("a/b", "late");
		connection.publish("a/b", "at the app", { qos: 1, messageId: 1, dup: true });
		const published = scene.it.publish("from the handler");
		const { messageId } = await connection.expect("publish");
		connection.send({ cmd: "puback", messageId: messageId! });
		expect(await published).toBe("ok");
		scene.it.deliveries[0]!.ack();
		await connection.expect("puback", (it) => it.messageId === 1);
		await connection.nothing(20);
		expect(scene.it.payloads).toEqual(["at the app"]);
		await eventually(() => expect(scene.it.client.status().outstanding).toBe(0));
	});
});
