import { describe, expect, test } from "vitest";
import { MqttRefusedError } from "../../../src/errors.js";
import { delayOf, startScene } from "./client-under-test.js";

describe("a refused CONNECT", () => {
	test.each([
		[1, "unacceptable protocol version"],
		[2, "the client identifier is not allowed"],
		[4, "bad user name or password"],
		[5, "not authorised"],
	])(
		"F-14: return code %i: we close the connection, say why without a secret, and wait for long",
		async (returnCode, text) => {
			await using scene = await startScene({ username: "user", password: "canary" });
			const connection = await scene.broker.accept();
			connection.holdOpen = true;
			await connection.greet({ returnCode });
			expect((await connection.closed).how).not.toBe("ours");
			const { error, message } = await scene.it.reported("connect-refused");
			expect(error).toBeInstanceOf(MqttRefusedError);
			expect(error).toMatchObject({ returnCode });
			expect(message).toContain(`${text} (return code ${returnCode})`);
			const delayMs = delayOf(await scene.it.reported("connect-refused"));
			expect(delayMs).toBeGreaterThanOrEqual(2_500);
			expect(delayMs).toBeLessThanOrEqual(10_000);
			expect(scene.it.client.status()).toMatchObject({ state: "offline", cause: error });
			expect(JSON.stringify(scene.it.reports)).not.toContain("canary");
			await scene.broker.nobody(50);
		},
	);

	test("F-15: return code 3 is tried again as soon as any lost connection", async () => {
		await using scene = await startScene();
		for (let round = 0; round < 2; round++) {
			const connection = await scene.broker.accept();
			await connection.greet({ returnCode: 3 });
			await connection.closed;
			expect(delayOf(await scene.it.reported("connect-failed", round + 1))).toBeLessThanOrEqual(250 * 2 ** round);
		}
		await scene.online();
		await scene.it.client.connect();
		expect(scene.it.reports.map(({ code }) => code)).toEqual(["connect-failed", "connect-failed", "connected"]);
	});

	test("what comes behind a refusal is read by nobody", async () => {
		await using scene = await startScene();
		const connection = await scene.broker.accept();
		await connection.expect("connect");
		connection.send(
			{ cmd: "connack", returnCode: 5, sessionPresent: false },
			{ cmd: "publish", topic: "a", payload: "x", qos: 1, messageId: 1, dup: false, retain: false },
		);
		await connection.closed;
		expect(await scene.it.reported("connect-refused")).toMatchObject({ error: { returnCode: 5 } });
		expect(scene.it.deliveries).toEqual([]);
		expect(connection.received).toHaveLength(1);
	});
});

describe("F-16: a CONNACK that is wrong", () => {
	const CONNACK = [0x20, 2, 0, 0];

	test.each<[string, string, number[]]>([
		["PUBLISH", "MQTT-3.2.0-1", [0x30, 3, 0, 1, 0x61]],
		["PINGRESP", "MQTT-3.2.0-1", [0xd0, 0]],
		["SUBACK", "MQTT-3.2.0-1", [0x90, 3, 0, 1, 1]],
		["PUBREL", "MQTT-3.2.0-1", [0x62, 2, 0, 1]],
	])("[MQTT-4.8.0-1] %s before the CONNACK closes the connection", async (_, clause, bytes) => {
		await using scene = await startScene();
		const connection = await scene.broker.accept();
		await connection.expect("connect");
		connection.sendRaw([...bytes, ...CONNACK]);
		await connection.closed;
		const { error, message } = await scene.it.reported("connect-failed");
		expect(error).toMatchObject({ reason: "protocol", cause: { clause } });
		expect(message).toContain(`[${clause}]`);
		expect(scene.it.states).not.toContain("online");
		expect(scene.it.deliveries).toEqual([]);
		await scene.online();
	});

	test.each<[string, string, number[]]>([
		["Session Present beside a refusal", "MQTT-3.2.2-4", [0x20, 2, 1, 5]],
		["an unknown return code", "3.2.2.3", [0x20, 2, 0, 6]],
		["acknowledge flags other than Session Present", "3.2.2.1", [0x20, 2, 2, 0]],
	])("[MQTT-4.8.0-1] %s closes the connection", async (_, clause, bytes) => {
		await using scene = await startScene();
		const connection = await scene.broker.accept();
		await connection.expect("connect");
		connection.sendRaw(bytes);
		await connection.closed;
		expect((await scene.it.reported("connect-failed")).message).toContain(`[${clause}]`);
		await scene.online();
	});

	test("[MQTT-4.8.0-1] a second CONNACK closes the connection", async () => {
		await using scene = await startScene();
		const connection = await scene.subscribed();
		connection.sendRaw(CONNACK);
		await connection.closed;
		const { error } = await scene.it.reported("disconnected");
		expect(error).toMatchObject({ reason: "protocol", cause: { clause: "MQTT-3.2.0-1" } });
		await scene.online();
	});

	test("[MQTT-3.1.2-6] Session Present in answer to a clean session closes the connection, and nothing of it is used", async () => {
		await using scene = await startScene({ cleanSession: true });
		const connection = await scene.broker.accept();
		await connection.expect("connect");
		connection.send({ cmd: "connack", returnCode: 0, sessionPresent: true });
		await connection.closed;
		expect((await scene.it.reported("connect-failed")).message).toContain("[MQTT-3.2.2-1]");
		expect(scene.it.states).not.toContain("online");
		await scene.online();
		await scene.it.client.connect();
	});
});

test("F-10: packets that come a byte at a time are the same packets", async () => {
	await using scene = await startScene({ onDelivery: (delivery) => delivery.ack() });
	const connection = await scene.broker.accept();
	await connection.expect("connect");
	const send = async (bytes: readonly number[]) => {
		for (const byte of bytes) {
			connection.sendRaw([byte]);
			await new Promise((resolve) => setImmediate(resolve));
		}
	};
	await send([0x20, 2, 1, 0]);
	const { messageId } = await connection.expect("subscribe");
	await send([0x90, 3, messageId! >> 8, messageId! & 0xff, 1]);
	await scene.it.reported("subscribed");
	await send([0x32, 9, 0, 3, 0x61, 0x2f, 0x62, 0x01, 0x02, 0x21, 0x3f]);
	await connection.expect("puback", (it) => it.messageId === 0x0102);
	expect(scene.it.payloads).toEqual(["!?"]);
});

test("packets in the same piece as the CONNACK find everything ready", async () => {
	await using scene = await startScene({ onDelivery: (delivery) => delivery.ack() });
	const connection = await scene.broker.accept();
	await connection.expect("connect");
	connection.send(
		{ cmd: "connack", returnCode: 0, sessionPresent: true },
		{ cmd: "publish", topic: "a/b", payload: "backlog", qos: 1, messageId: 9, dup: true, retain: false },
	);
	await connection.expect("subscribe");
	await connection.expect("puback", ({ messageId }) => messageId === 9);
	expect(scene.it.payloads).toEqual(["backlog"]);
});
