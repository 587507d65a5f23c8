import { describe, expect, test } from "vitest";
import { cleared, startScene } from "./client-under-test.js";

const TWO = { subscriptions: [{ filter: "a/#", qos: 2 as const }] };

describe("QoS 2 inbound", () => {
	test("[MQTT-4.3.3-2] until its PUBREL an equal PUBLISH is answered and not delivered, whatever DUP says", async () => {
		await using scene = await startScene({ ...TWO, onDelivery: (delivery) => delivery.ack() });
		const connection = await scene.subscribed();
		for (const dup of [false, true, false]) {
			connection.publish("a/b", "m", { qos: 2, messageId: 9, dup });
			await connection.expect("pubrec", ({ messageId }) => messageId === 9);
		}
		expect(scene.it.deliveries).toHaveLength(1);
		connection.send({ cmd: "pubrel", messageId: 9 });
		await connection.expect("pubcomp");
		connection.publish("a/b", "m", { qos: 2, messageId: 9, dup: true });
		await connection.expect("pubrec");
		expect(scene.it.deliveries).toHaveLength(2);
	});

	test("one that differs is another message", async () => {
		await using scene = await startScene({ ...TWO, onDelivery: (delivery) => delivery.ack() });
		const connection = await scene.subscribed();
		for (const payload of ["m", "n"]) {
			connection.publish("a/b", payload, { qos: 2, messageId: 9 });
			await connection.expect("pubrec");
		}
		expect(scene.it.payloads).toEqual(["m", "n"]);
	});

	test("[MQTT-4.1.0-1] the identifier is remembered over a connection as long as the session lasts", async () => {
		await using scene = await startScene({ ...TWO, onDelivery: (delivery) => delivery.ack() });
		const first = await scene.subscribed();
		first.publish("a/b", "m", { qos: 2, messageId: 9 });
		await first.expect("pubrec");
		first.close();
		const second = await scene.subscribed({ sessionPresent: true });
		second.publish("a/b", "m", { qos: 2, messageId: 9, dup: true });
		await second.expect("pubrec", ({ messageId }) => messageId === 9);
		expect(scene.it.deliveries).toHaveLength(1);
		second.close();
		const third = await scene.subscribed({ sessionPresent: false });
		third.publish("a/b", "m", { qos: 2, messageId: 9, dup: true });
		await third.expect("pubrec");
		expect(scene.it.deliveries).toHaveLength(2);
	});

	test("PUBREL is answered at once, known or not, in the order of their coming", async () => {
		await using scene = await startScene(TWO);
		const connection = await scene.subscribed();
		connection.publish("a/b", "unanswered", { qos: 2, messageId: 1 });
		for (const messageId of [5, 3, 4]) connection.send({ cmd: "pubrel", messageId });
		for (const id of [5, 3, 4]) await connection.expect("pubcomp", ({ messageId }) => messageId === id);
	});

	test("[MQTT-4.6.0-3] PUBRECs leave in the order of arrival, in one line with PUBACKs", async () => {
		await using scene = await startScene(TWO);
		const connection = await scene.subscribed();
		for (const [qos, messageId] of [
			[2, 8],
			[1, 6],
			[2, 7],
		] as const)
			connection.publish("a/b", "m", { qos, messageId });
		await scene.it.delivered(3);
		for (const delivery of scene.it.deliveries.toReversed()) delivery.ack();
		await connection.expect("pubrec", ({ messageId }) => messageId === 8);
		await connection.expect("puback", ({ messageId }) => messageId === 6);
		await connection.expect("pubrec", ({ messageId }) => messageId === 7);
	});
});

describe("QoS 2 outbound", () => {
	test("[MQTT-4.3.3-1] PUBLISH, PUBREC, PUBREL, PUBCOMP, and only then it has succeeded; before the first, PUBREL frees the identifier", async () => {
		await using scene = await startScene({ subscribes: false });
		const connection = await scene.online();
		let result: string | undefined;
		const published = scene.it.publish("m", { qos: 2 }).then((it) => {
			result = it;
		});
		await connection.expect("pubrel", ({ messageId }) => messageId === 1);
		await connection.nothing(20);
		connection.send({ cmd: "pubcomp", messageId: 1 });
		await connection.expect("publish", ({ qos, messageId, dup }) => qos === 2 && messageId === 1 && !dup);
		connection.send({ cmd: "pubrec", messageId: 1 });
		await connection.expect("pubrel", ({ messageId }) => messageId === 1);
		await connection.nothing(20);
		expect(result).toBeUndefined();
		connection.send({ cmd: "pubcomp", messageId: 1 });
		await published;
		expect(result).toBe("ok");
	});

	test("[MQTT-4.6.0-4] one handshake at a time, in the order of the calls, while QoS 1 goes its own way", async () => {
		await using scene = await startScene({ subscribes: false });
		const connection = await scene.online();
		const published = ["one", "two", "three"].map((payload) => scene.it.publish(payload, { qos: 2 }));
		await cleared(connection);
		for (const text of ["one", "two", "three"]) {
			await connection.expect("publish", ({ payload }) => String(payload) === text);
			await connection.nothing(5);
			const other = scene.it.publish("at QoS 1");
			const { messageId } = await connection.expect("publish", ({ qos }) => qos === 1);
			expect(messageId).toBeGreaterThan(1);
			connection.send({ cmd: "puback", messageId: messageId! });
			expect(await other).toBe("ok");
			connection.send({ cmd: "pubrec", messageId: 1 });
			await connection.expect("pubrel");
			connection.send({ cmd: "pubcomp", messageId: 1 });
		}
		expect(await Promise.all(published)).toEqual(["ok", "ok", "ok"]);
	});

	test("[MQTT-4.4.0-1] [MQTT-3.3.1-1] before PUBREC the resumed session gets the PUBLISH again with DUP, after it the PUBREL", async () => {
		await using scene = await startScene({ subscribes: false });
		const first = await scene.online();
		const published = scene.it.publish("m", { qos: 2 });
		await cleared(first);
		await first.expect("publish");
		first.close();
		const second = await scene.online({ sessionPresent: true });
		await second.expect("publish", ({ messageId, dup }) => messageId === 1 && dup);
		second.send({ cmd: "pubrec", messageId: 1 });
		await second.expect("pubrel");
		second.close();
		const third = await scene.online({ sessionPresent: true });
		await third.expect("pubrel", ({ messageId }) => messageId === 1);
		third.send({ cmd: "pubcomp", messageId: 1 });
		expect(await published).toBe("ok");
		await third.nothing(20);
	});

	test("given up after PUBREC, the handshake is finished all the same", async () => {
		await using scene = await startScene({ subscribes: false });
		const connection = await scene.online();
		const controller = new AbortController();
		const published = scene.it.publish("m", { qos: 2, signal: controller.signal });
		await cleared(connection);
		await connection.expect("publish");
		connection.send({ cmd: "pubrec", messageId: 1 });
		await connection.expect("pubrel");
		controller.abort();
		expect(await published).toMatch(/^outcome unknown: /);
		connection.send({ cmd: "pubcomp", messageId: 1 });
		const next = scene.it.publish("n", { qos: 2 });
		await connection.expect("publish", ({ payload }) => String(payload) === "n");
		connection.send({ cmd: "pubrec", messageId: 1 });
		await cleared(connection);
		expect(await next).toBe("ok");
	});

	test("with the session lost a written one has an unknown outcome and is not published anew", async () => {
		await using scene = await startScene({ subscribes: false });
		const first = await scene.online();
		const published = scene.it.publish("m", { qos: 2 });
		await cleared(first);
		await first.expect("publish");
		first.close();
		const second = await scene.online({ sessionPresent: false });
		expect(await published).toMatch(/^outcome unknown: /);
		await second.nothing(30);
	});
});
