import { expect, onTestFinished } from "vitest";
import { ClientUnderTest, delayOf } from "../../integration/client/client-under-test.js";
import { pass, withFastTime } from "../../integration/client/fast-time.js";
import { eventually } from "../../support/eventually.js";
import { freePort } from "../../support/free-port.js";
import { type ScriptedBroker, type ScriptedConnection, startScriptedBroker } from "../../support/scripted-broker.js";
import { fault } from "../support/fault.js";

withFastTime();

/** Takes the connection, grants the subscription. */
async function serve(broker: ScriptedBroker, sessionPresent: boolean): Promise<ScriptedConnection> {
	const connection = await broker.accept();
	await connection.greet({ sessionPresent });
	await connection.grant();
	return connection;
}

/** Ends the connection and refuses (CONNACK 3) until the client tries the other broker. */
async function failOver(it: ClientUnderTest, from: ScriptedBroker, connection: ScriptedConnection): Promise<void> {
	const before = it.reports.length;
	connection.close();
	const ends = () =>
		it.reports.slice(before).filter(({ code }) => code === "disconnected" || code === "connect-failed");
	for (let attempt = 0; attempt <= 3; attempt++) {
		await eventually(() => expect(ends()).toHaveLength(attempt + 1));
		await pass(delayOf(ends()[attempt]!) + 1);
		if (attempt < 3) await (await from.accept()).greet({ returnCode: 3 });
	}
}

const pubacks = ({ received }: ScriptedConnection) => received.filter(({ packet }) => packet.cmd === "puback").length;

fault(
	{
		rows: ["F-88"],
		injected:
			"two brokers without shared sessions, both with a message of the same identifier and payload; failover to the second and back while handlers run",
		scale: "an injected clock",
	},
	"what one broker delivered is acknowledged to that broker alone, and only once the app accepted that delivery; the same broker is tried three times before the other",
	async ({ seen }) => {
		const one = await startScriptedBroker();
		const other = await startScriptedBroker();
		onTestFinished(() => one[Symbol.asyncDispose]());
		onTestFinished(() => other[Symbol.asyncDispose]());
		await using it = new ClientUnderTest(`${one.url},${other.url}`);
		it.client.subscribe();
		it.client.connect().catch(() => {});

		const first = await serve(one, false);
		first.publish("a/b", "m", { qos: 1, messageId: 5 });
		const atOne = await it.delivered(1);
		atOne.started = true;
		atOne.running = true;
		await failOver(it, one, first);

		const second = await serve(other, true);
		second.publish("a/b", "m", { qos: 1, messageId: 5, dup: true });
		const atOther = await it.delivered(2);
		atOther.started = true;
		atOther.running = true;
		expect(it.adopted).toEqual([]);
		atOne.running = false;
		atOne.ack();
		await second.nothing(30);
		await failOver(it, other, second);

		const third = await serve(one, true);
		third.publish("a/b", "m", { qos: 1, messageId: 5, dup: true });
		const again = await it.delivered(3);
		expect(it.adopted).toEqual([]);
		atOther.running = false;
		atOther.ack();
		await third.nothing(30);
		again.ack();
		await third.expect("puback", ({ messageId }) => messageId === 5);
		expect([first, second, third].map(pubacks)).toEqual([0, 0, 1]);
		expect(it.client.status().url.port).toBe(one.port);
		await it.reported("other-broker", 2);
		seen(
			"three deliveries, none adopted; PUBACKs on the three connections: 0, 0, 1; three refused attempts before each change",
		);
	},
);

fault(
	{
		rows: ["F-88"],
		injected: "failover to a broker without our session while a QoS 1 and a QoS 2 publish are unanswered",
		scale: "an injected clock",
	},
	"a publish that waits is published anew at the other broker; a written QoS 2 publish fails as unknown",
	async ({ seen }) => {
		const one = await startScriptedBroker();
		const other = await startScriptedBroker();
		onTestFinished(() => one[Symbol.asyncDispose]());
		onTestFinished(() => other[Symbol.asyncDispose]());
		await using it = new ClientUnderTest(`${one.url},${other.url}`, { publishTimeoutMs: 600_000 });
		it.client.subscribe();
		it.client.connect().catch(() => {});
		const first = await serve(one, false);
		const least = it.publish("least");
		await first.expect("publish", ({ qos }) => qos === 1);
		const exactly = it.publish("exactly", { qos: 2 });
		await first.expect("pubrel");
		first.send({ cmd: "pubcomp", messageId: 1 });
		await first.expect("publish", ({ qos }) => qos === 2);
		await failOver(it, one, first);
		const second = await other.accept();
		await second.greet({ sessionPresent: true });
		expect(await exactly).toMatch(/^outcome unknown: /);
		await second.grant();
		const publish = await second.expect("publish");
		expect(publish).toMatchObject({ qos: 1, dup: false });
		expect(String(publish.payload)).toBe("least");
		second.send({ cmd: "puback", messageId: publish.messageId! });
		expect(await least).toBe("ok");
		await second.nothing(30);
		seen(`QoS 1: published without DUP and acknowledged; QoS 2: "${await exactly}"`);
	},
);

fault(
	{
		rows: ["S-40"],
		injected: "three brokers in the URL, of which the first two are dead: nothing listens, and no CONNACK",
		scale: "connectTimeout 2 s of an injected clock",
	},
	"half of the brokers dead: each is tried in turn, the live one is found, and after a loss it is tried first",
	async ({ seen }) => {
		const silent = await startScriptedBroker();
		const live = await startScriptedBroker();
		onTestFinished(() => silent[Symbol.asyncDispose]());
		onTestFinished(() => live[Symbol.asyncDispose]());
		const dead = `mqtt://127.0.0.1:${await freePort()}`;
		await using it = new ClientUnderTest(`${dead},${silent.url},${live.url}`, { connectTimeoutMs: 2_000 });
		it.client.subscribe();
		it.client.connect().catch(() => {});
		await pass(delayOf(await it.reported("connect-failed", 1)) + 1);
		await (await silent.accept()).expect("connect");
		await pass(2_500);
		await pass(delayOf(await it.reported("connect-failed", 2)) + 1);
		const connection = await serve(live, false);
		await it.reported("subscribed");
		connection.close();
		await pass(delayOf(await it.reported("disconnected")) + 1);
		await serve(live, true);
		await it.reported("connected", 2);
		expect(it.reports.filter(({ code }) => code === "connect-failed").map(({ error }) => error)).toMatchObject([
			{ reason: "refused" },
			{ reason: "timeout" },
		]);
		seen("refused, then no CONNACK within 2 s, then online; after a loss online again at the same one");
	},
);

fault(
	{ rows: ["S-40"], injected: "two brokers that close every connection before CONNACK", scale: "an injected clock" },
	"brokers that never accepted are tried in turn",
	async ({ seen }) => {
		const brokers = [await startScriptedBroker(), await startScriptedBroker()];
		for (const broker of brokers) onTestFinished(() => broker[Symbol.asyncDispose]());
		await using it = new ClientUnderTest(brokers.map(({ url }) => url).join(","));
		it.client.connect().catch(() => {});
		for (const [count, index] of [0, 1, 0, 1].entries()) {
			(await brokers[index]!.accept()).close();
			await pass(delayOf(await it.reported("connect-failed", count + 1)) + 1);
		}
		seen("four attempts: at the first, the second, the first, the second");
	},
);
