import { describe, expect, test } from "vitest";
import { StateError } from "../../../src/errors.js";
import { eventually } from "../../support/eventually.js";
import { startScriptedBroker } from "../../support/scripted-broker.js";
import { ClientUnderTest, startScene } from "./client-under-test.js";
import { withFastTime } from "./fast-time.js";

withFastTime();

describe("CONNECT", () => {
	test("[MQTT-3.1.0-1] [MQTT-3.1.0-2] CONNECT is the first packet and the only CONNECT, whatever was asked for before it", async () => {
		await using scene = await startScene();
		const published = scene.it.publish("early");
		const connection = await scene.broker.accept();
		await connection.greet();
		const publish = await connection.expect("subscribe").then(() => connection.expect("publish"));
		connection.send({ cmd: "puback", messageId: publish.messageId! });
		expect(await published).toBe("ok");
		await scene.it.client.close();
		await connection.closed;
		expect(connection.received.map(({ packet }) => packet.cmd)).toEqual([
			"connect",
			"subscribe",
			"publish",
			"disconnect",
		]);
	});

	test("nothing but CONNECT leaves before the CONNACK", async () => {
		await using scene = await startScene({ keepAliveMs: 1_000 });
		void scene.it.publish("early");
		const connection = await scene.broker.accept();
		await connection.expect("connect");
		await connection.nothing(50);
	});

	test("[MQTT-3.1.3-2] it carries the client's settings, the same on each connection", async () => {
		await using scene = await startScene({
			clientId: "ünïque",
			username: "üser",
			password: "pässword",
			keepAliveMs: 90_000,
			will: { topic: "a/will", payload: Buffer.from("gone"), qos: 1, retain: true },
		});
		const expected = {
			clientId: "ünïque",
			clean: false,
			keepalive: 90,
			username: "üser",
			password: Buffer.from("pässword"),
			will: { topic: "a/will", payload: Buffer.from("gone"), qos: 1, retain: true },
		};
		const first = await scene.broker.accept();
		expect(await first.greet()).toMatchObject(expected);
		first.close();
		expect(await (await scene.broker.accept()).greet()).toMatchObject(expected);
	});

	test("[MQTT-3.1.2-11] without a will, user name and password there is none of them", async () => {
		await using scene = await startScene({ cleanSession: true });
		const connect = await (await scene.broker.accept()).greet();
		expect(connect.clean).toBe(true);
		for (const field of ["username", "password", "will"]) expect(connect).not.toHaveProperty(field);
	});

	test("connect() resolves on the first accepted CONNACK, never before", async () => {
		await using scene = await startScene();
		let isOnline = false;
		const connected = scene.it.client.connect().then(() => {
			isOnline = true;
		});
		const refused = await scene.broker.accept();
		await refused.greet({ returnCode: 3 });
		await refused.closed;
		const connection = await scene.broker.accept();
		await connection.expect("connect");
		expect(isOnline).toBe(false);
		connection.send({ cmd: "connack", returnCode: 0, sessionPresent: false });
		await connected;
		await scene.it.client.connect();
	});

	test("an aborted connect() rejects and the attempts go on", async () => {
		await using scene = await startScene();
		const reason = new Error("enough");
		await expect(scene.it.client.connect(AbortSignal.abort(reason))).rejects.toBe(reason);
		const controller = new AbortController();
		const connected = scene.it.client.connect(controller.signal);
		controller.abort(reason);
		await expect(connected).rejects.toBe(reason);
		await scene.online();
		await scene.it.client.connect();
	});

	test("a closed client does not connect, and its callers are told", async () => {
		await using broker = await startScriptedBroker();
		const it = new ClientUnderTest(broker.url);
		const connected = expect(it.client.connect()).rejects.toThrow(StateError);
		const first = await broker.accept();
		await first.expect("connect");
		await it.client.close();
		await connected;
		await expect(it.client.connect()).rejects.toThrow(StateError);
		expect(it.client.state).toBe("closed");
		await first.closed;
		await broker.nobody(50);
	});
});

describe("attempts that come to nothing", () => {
	test("a broker that closes before its CONNACK is tried again", async () => {
		await using scene = await startScene();
		const first = await scene.broker.accept();
		await first.expect("connect");
		first.close();
		expect((await scene.it.reported("connect-failed")).error).toMatchObject({ reason: "closed" });
		const second = await scene.broker.accept();
		await second.expect("connect");
		second.reset();
		await scene.online();
		await scene.it.client.connect();
	});

	test("never two connections at once", async () => {
		await using scene = await startScene();
		for (let round = 0; round < 4; round++) {
			const connection = await scene.online();
			await connection.expect("subscribe");
			await scene.broker.nobody(20);
			if (round % 2 === 0) connection.close();
			else connection.reset();
			await eventually(() => expect(scene.it.client.state).not.toBe("online"));
		}
	});
});
