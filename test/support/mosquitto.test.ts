import { connect } from "node:net";
import { expect, test } from "vitest";
import { createCa } from "./certificates.js";
import { eventually } from "./eventually.js";
import { describeWith } from "./left-out.js";
import { startMosquitto } from "./mosquitto.js";
import { connectDevice } from "./mqtt-device.js";

describeWith("mosquitto", "mosquitto as a peer", () => {
	test("sessions and ports outlive a stop where data is kept", async () => {
		await using broker = await startMosquitto({ persistence: true });
		const session = { clientId: "keeper", clean: false };
		await using before = await connectDevice(broker.url, session);
		await before.subscribe("a/#");
		await before.close();
		await using sender = await connectDevice(broker.url);
		await sender.publishAll(2_000, (index) => ({ topic: `a/${index}`, payload: String(index) }));
		await broker.stop();
		await sender.closed;
		expect(broker.pid).toBe(-1);
		await broker.start();
		await using after = await connectDevice(broker.url, session);
		const arrived = await after.received(2_000);
		expect(arrived.map(({ payload }) => Number(payload))).toEqual(Array.from({ length: 2_000 }, (_, index) => index));
	});

	test("a kill ends it, and without persistence a start is a new life", async () => {
		await using broker = await startMosquitto();
		await using device = await connectDevice(broker.url, { clientId: "keeper", clean: false });
		await device.publish("a", "kept", { retain: true });
		await broker.kill();
		await device.closed;
		await broker.start({ maxInflightMessages: 1 });
		await using again = await connectDevice(broker.url, { clientId: "other" });
		await again.subscribe("a");
		await again.publish("a", "first");
		expect((await again.received(1)).map(({ payload }) => String(payload))).toEqual(["first"]);
		expect(broker.log.filter((line) => / running$/.test(line))).toHaveLength(2);
	});

	test("frozen it keeps connections and answers nothing until it is thawed", async () => {
		await using broker = await startMosquitto();
		await using device = await connectDevice(broker.url);
		broker.freeze();
		let answered = false;
		const published = device.publish("a", "x").then(() => {
			answered = true;
		});
		const socket = connect(broker.port, "127.0.0.1");
		await new Promise((resolve) => socket.once("connect", resolve));
		socket.destroy();
		expect(answered).toBe(false);
		broker.thaw();
		await published;
		broker.freeze();
	});

	test("users, access list and size limit", async () => {
		await using broker = await startMosquitto({
			users: { me: "pass word" },
			acl: "user me\ntopic readwrite open/#\n",
			messageSizeLimit: 10,
		});
		await expect(connectDevice(broker.url)).rejects.toMatchObject({ code: 5 });
		await expect(connectDevice(broker.url, { username: "me", password: "x" })).rejects.toMatchObject({ code: 5 });
		const login = { username: "me", password: "pass word" };
		await using observer = await connectDevice(broker.url, login);
		await observer.subscribe("#");
		for (const [topic, payload] of [
			["closed/a", "unheard"],
			["open/a", "longer than ten bytes"],
		] as const) {
			// It acknowledges what it refuses, and closes the connection after it.
			await using refused = await connectDevice(broker.url, login);
			await refused.publish(topic, payload);
			await refused.closed;
		}
		await observer.publish("open/a", "heard");
		expect((await observer.received(1)).map(({ payload }) => String(payload))).toEqual(["heard"]);
	});

	test("TLS with certificates on both sides, and WebSocket", async () => {
		const [serverCa, clientCa] = await Promise.all([createCa(), createCa()]);
		const server = await serverCa.issue({
			commonName: "localhost",
			dnsNames: ["localhost"],
			ipAddresses: ["127.0.0.1"],
		});
		const ours = await clientCa.issue({ commonName: "device" });
		await using broker = await startMosquitto({ tls: { ...server, clientCa: clientCa.cert }, websocket: true });
		await using device = await connectDevice(broker.tlsUrl!, { ca: serverCa.cert, ...ours });
		await using page = await connectDevice(broker.websocketUrl!);
		await page.subscribe("a");
		await device.publish("a", "over TLS");
		await page.received(1);
		await expect(connectDevice(broker.tlsUrl!, { ca: serverCa.cert })).rejects.toThrow();
		await eventually(() => expect(broker.log.join("\n")).toContain("certificate"));
	});
});
