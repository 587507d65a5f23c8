import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { connect, connectAsync, type IClientOptions, type MqttClient } from "mqtt";
import { generate } from "mqtt-packet";
import { describe, expect, onTestFinished, test } from "vitest";
import { eventually } from "../../test/support/eventually.js";
import { type BrokerMessage, type BrokerOptions, startBroker } from "./broker.js";

async function broker(options?: BrokerOptions) {
	const started = await startBroker(options);
	onTestFinished(() => started.close());
	return started;
}

async function client(url: string, options: IClientOptions = {}): Promise<MqttClient> {
	const connected = await connectAsync(url, { reconnectPeriod: 0, ...options });
	// What ends a connection is asserted where it matters; an error without listener would end the process.
	connected.on("error", () => {});
	onTestFinished(() => connected.endAsync(true));
	return connected;
}

/** The payload of the next message; ask before it can come. */
function nextMessage(device: MqttClient): Promise<Buffer> {
	return new Promise((resolve) => device.once("message", (_topic, payload) => resolve(payload)));
}

/** Resolves when it is closed, by FIN or by reset. */
function closing(peer: { once(event: "close", listener: () => void): unknown }): Promise<void> {
	return new Promise((resolve) => peer.once("close", resolve));
}

function socket(port: number): Socket {
	const opened = connectTcp({ host: "127.0.0.1", port });
	opened.on("error", () => {});
	onTestFinished(() => void opened.destroy());
	return opened;
}

const CONNECT = generate({ cmd: "connect", clientId: "raw", clean: true, keepalive: 0 });

describe("messages", () => {
	test("a client's message reaches subscribers and listeners, bytes unchanged", async () => {
		await using started = await startBroker();
		const heard: BrokerMessage[] = [];
		started.onPublish((message) => heard.push(message));
		const device = await client(started.url, { clientId: "device" });
		await device.subscribeAsync("a/#", { qos: 1 });
		const arrived = nextMessage(device);
		await device.publishAsync("a/温度", Buffer.from([0, 255]), { qos: 1 });
		expect(await arrived).toEqual(Buffer.from([0, 255]));
		const expected = { topic: "a/温度", payload: Buffer.from([0, 255]), qos: 1, retain: false, clientId: "device" };
		await eventually(() => expect(heard).toEqual([expected]));
	});

	test("a listener hears the program's own messages too, until it leaves", async () => {
		const started = await broker();
		const heard: BrokerMessage[] = [];
		const leave = started.onPublish((message) => heard.push(message));
		await started.publish("a", "one", { qos: 0, retain: true });
		leave();
		await started.publish("a", "two");
		expect(heard).toEqual([{ topic: "a", payload: Buffer.from("one"), qos: 0, retain: true, clientId: undefined }]);
	});

	test("a retained message meets later subscribers", async () => {
		const started = await broker();
		await started.publish("a", "kept", { retain: true });
		const device = await client(started.url);
		const arrived = nextMessage(device);
		await device.subscribeAsync("a");
		expect((await arrived).toString()).toBe("kept");
	});

	test("a session that was kept gets what was published meanwhile", async () => {
		const started = await broker();
		const session = { clientId: "keeper", clean: false };
		const before = await client(started.url, session);
		await before.subscribeAsync("a", { qos: 1 });
		await before.endAsync();
		await started.publish("a", "waited");
		const after = connect(started.url, { reconnectPeriod: 0, ...session });
		onTestFinished(() => after.endAsync(true));
		expect((await nextMessage(after)).toString()).toBe("waited");
	});

	test.each(["", "a/#", "+", "a\0", "a".repeat(65_536), "/".repeat(200)])(
		"a topic that is none is refused: %j",
		async (topic) => {
			const started = await broker();
			await expect(started.publish(topic, "x")).rejects.toMatchObject({ code: "ERR_PUBLISH", outcome: "not-sent" });
		},
	);
});

describe("who is let in", () => {
	test("with a user name only who knows the password", async () => {
		const started = await broker({ username: "me", password: "secret" });
		await client(started.url, { username: "me", password: "secret" });
		for (const wrong of [
			{},
			{ username: "me" },
			{ username: "me", password: "Secret" },
			{ username: "mese", password: "cret" },
		]) {
			await expect(client(started.url, wrong)).rejects.toMatchObject({ code: 4 });
		}
	});

	test("a password without a user name is refused at the start", async () => {
		await expect(startBroker({ password: "secret" })).rejects.toMatchObject({ code: "ERR_CONFIGURATION" });
	});

	test("more connections than allowed are closed, and make room when they go", async () => {
		const started = await broker({ maxConnections: 1 });
		const first = await client(started.url);
		await closing(socket(started.port));
		await first.endAsync();
		await client(started.url);
	});

	test("a connection that sends no CONNECT in time is closed", async () => {
		const started = await broker({ connectTimeoutMs: 50 });
		await closing(socket(started.port));
	});

	test("a first packet beyond 64 KiB is refused before it is read", async () => {
		const started = await broker();
		const intruder = socket(started.port);
		intruder.write(Buffer.from([0x10, 0x81, 0x80, 0x04]));
		await closing(intruder);
	});

	test("a later packet may have 5 MiB, and no more", async () => {
		const started = await broker();
		const heard: number[] = [];
		started.onPublish(({ payload }) => heard.push(payload.length));
		const device = await client(started.url);
		await device.publishAsync("a", Buffer.alloc(5 * 1024 * 1024 - 5), { qos: 1 });
		const closed = closing(device);
		device.publish("a", Buffer.alloc(5 * 1024 * 1024), { qos: 1 });
		await closed;
		expect(heard).toEqual([5 * 1024 * 1024 - 5]);
	});

	test("a will on a topic that is reserved or none ends the connection", async () => {
		const started = await broker();
		for (const topic of ["$SYS/x/disconnect/clients", "a/#"]) {
			const intruder = socket(started.port);
			intruder.write(
				generate({ cmd: "connect", clientId: "raw", clean: true, will: { topic, payload: Buffer.alloc(0) } }),
			);
			await closing(intruder);
		}
	});

	test("a publish on $SYS ends its sender's connection and nobody else's", async () => {
		const started = await broker();
		const bystander = await client(started.url, { clientId: "bystander" });
		const intruder = socket(started.port);
		intruder.write(CONNECT);
		await once(intruder, "data");
		const topic = "$SYS/other/new/clients";
		intruder.write(generate({ cmd: "publish", topic, payload: "bystander", qos: 0, dup: false, retain: false }));
		await closing(intruder);
		await bystander.publishAsync("a", "alive", { qos: 1 });
	});
});

describe("ports", () => {
	test("a port in use is named", async () => {
		const { port } = await broker();
		await expect(startBroker({ port })).rejects.toMatchObject({
			code: "ERR_CONFIGURATION",
			message: expect.stringContaining(`127.0.0.1:${port}`),
		});
	});

	test("closing ends connections of every age, and twice is once", async () => {
		const started = await startBroker({ websocketPort: 0 });
		const sockets = [socket(started.port), socket(Number(new URL(started.websocketUrl!).port))];
		const ends: Promise<unknown>[] = sockets.map((each) => closing(each));
		await Promise.all(sockets.map((each) => once(each, "connect")));
		const device = await client(started.url);
		ends.push(closing(device));
		await Promise.all([started.close(), started.close()]);
		await Promise.all(ends);
		await expect(started.publish("a", "x")).rejects.toMatchObject({ code: "ERR_PUBLISH" });
	});
});

describe("WebSocket", () => {
	test("a client comes in over ws", async () => {
		const started = await broker({ websocketPort: 0 });
		const device = await client(started.websocketUrl!);
		await device.subscribeAsync("a", { qos: 1 });
		const arrived = nextMessage(device);
		const payload = Buffer.alloc(200_000, 7);
		await started.publish("a", payload);
		expect((await arrived).equals(payload)).toBe(true);
	});

	test.each([
		["no subprotocol", [], {}],
		["another subprotocol", ["mqttv3.1"], {}],
		["a page from elsewhere", ["mqtt"], { origin: "http://evil.example" }],
		["a page with an opaque origin", ["mqtt"], { origin: "null" }],
	])("refused: %s", async (_what, protocols, headers) => {
		const started = await broker({ websocketPort: 0 });
		const { WebSocket } = await import("ws");
		const page = new WebSocket(started.websocketUrl!, protocols, { headers });
		await expect(once(page, "open")).rejects.toThrow("403");
	});

	test("[MQTT-6.0.0-1] a text frame ends the connection", async () => {
		const started = await broker({ websocketPort: 0 });
		const { WebSocket } = await import("ws");
		const page = new WebSocket(started.websocketUrl!, ["mqtt"], { origin: "http://localhost:3000" });
		await once(page, "open");
		let answered = false;
		page.on("message", () => {
			answered = true;
		});
		page.send(CONNECT.toString("latin1"));
		await closing(page);
		expect(answered).toBe(false);
	});

	test("plain HTTP is told what is spoken here", async () => {
		const started = await broker({ websocketPort: 0 });
		const answer = await fetch(started.websocketUrl!.replace("ws:", "http:"));
		expect([answer.status, await answer.text()]).toEqual([426, "MQTT over WebSocket only\n"]);
	});
});
