import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { generate } from "mqtt-packet";
import { expect, onTestFinished, test } from "vitest";
import { connectDevice } from "./mqtt-device.js";
import { type ScriptedBroker, startScriptedBroker } from "./scripted-broker.js";

const CONNECT = generate({ cmd: "connect", clientId: "raw", clean: true, keepalive: 0 });
const PINGREQ = generate({ cmd: "pingreq" });

async function rawClient(broker: ScriptedBroker, options: { readonly allowHalfOpen?: boolean } = {}): Promise<Socket> {
	const socket = connect({ port: broker.port, host: "127.0.0.1", ...options });
	socket.on("error", () => {});
	onTestFinished(() => void socket.destroy());
	await once(socket, "connect");
	return socket;
}

test("a script leads a client through a session", async () => {
	await using broker = await startScriptedBroker();
	const connecting = connectDevice(broker.url, { clientId: "device", clean: false });
	const connection = await broker.accept();
	expect(await connection.greet({ sessionPresent: true })).toMatchObject({ clientId: "device", clean: false });
	await using device = await connecting;
	const subscribing = device.subscribe("a", 2);
	await connection.grant([1]);
	expect(await subscribing).toBe(1);
	connection.publish("a", "one", { qos: 1, messageId: 7, dup: true });
	await connection.expect("puback", ({ messageId }) => messageId === 7);
	expect(device.messages).toMatchObject([{ topic: "a", payload: Buffer.from("one"), dup: true }]);
	await connection.nothing(20);
	await device.close();
	await connection.expect("disconnect");
	expect(await connection.closed).toMatchObject({ how: "fin" });
	expect(connection.received.map(({ packet }) => packet.cmd)).toEqual(["connect", "subscribe", "puback", "disconnect"]);
	expect(broker.connections).toEqual([connection]);
});

test("another packet than the expected one is an error, and so is a wrong one, none, or what is no MQTT", async () => {
	await using broker = await startScriptedBroker();
	const client = await rawClient(broker);
	const connection = await broker.accept();
	await expect(connection.expect("connect", undefined, 10)).rejects.toThrow("nothing within 10 ms");
	client.write(Buffer.concat([CONNECT, CONNECT, CONNECT]));
	await expect(connection.expect("subscribe")).rejects.toThrow("expected subscribe, got");
	await expect(connection.expect("connect", ({ clientId }) => clientId === "other")).rejects.toThrow("another connect");
	await expect(connection.nothing(10)).rejects.toThrow("connect");
	await connection.expect("connect");
	await connection.nothing(10);
	client.write(Buffer.from([0x36, 0x00]));
	await expect(connection.nothing(1_000)).rejects.toThrow("no MQTT");
});

test("pings are answered and hidden unless the test wants them", async () => {
	await using broker = await startScriptedBroker();
	const client = await rawClient(broker);
	const connection = await broker.accept();
	client.write(PINGREQ);
	expect((await once(client, "data"))[0]).toEqual(generate({ cmd: "pingresp" }));
	connection.answerPings = false;
	client.write(PINGREQ);
	await connection.expect("pingreq");
});

test("raw bytes, FIN, reset, and half of a FIN", async () => {
	await using broker = await startScriptedBroker();
	const client = await rawClient(broker);
	const first = await broker.accept();
	first.sendRaw([1, 2]);
	first.close();
	expect((await once(client, "data"))[0]).toEqual(Buffer.from([1, 2]));
	await once(client, "end");
	expect(await first.closed).toMatchObject({ how: "ours" });

	const second = await rawClient(broker);
	(await broker.accept()).reset();
	expect(await new Promise((resolve) => second.once("close", resolve))).toBe(true);

	const third = await rawClient(broker, { allowHalfOpen: true });
	const connection = await broker.accept();
	connection.halfClose();
	third.resume();
	await once(third, "end");
	third.write(CONNECT);
	await connection.expect("connect");
	third.resetAndDestroy();
	expect(await connection.closed).toMatchObject({ how: "reset" });
});

test("held open, it still sends after the client's FIN", async () => {
	await using broker = await startScriptedBroker();
	const client = await rawClient(broker, { allowHalfOpen: true });
	const connection = await broker.accept();
	connection.holdOpen = true;
	client.end();
	await connection.closed;
	connection.sendRaw([1]);
	expect((await once(client, "data"))[0]).toEqual(Buffer.from([1]));
});

test("paused, it takes nothing from the client until it goes on", async () => {
	await using broker = await startScriptedBroker();
	const client = await rawClient(broker);
	const connection = await broker.accept();
	connection.pause();
	client.write(CONNECT);
	await connection.nothing(30);
	connection.resume();
	await connection.expect("connect");
});

test("connections are accepted in their order, and their absence can be asserted", async () => {
	await using broker = await startScriptedBroker();
	await broker.nobody(10);
	await expect(broker.accept(10)).rejects.toThrow("nothing within 10 ms");
	await rawClient(broker);
	await expect(broker.nobody(1_000)).rejects.toThrow("expected no connection");
	expect(await broker.accept()).toBe(broker.connections[0]);
});
