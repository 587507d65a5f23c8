import { expect } from "vitest";
import { startScene } from "../../integration/client/client-under-test.js";
import { eventually } from "../../support/eventually.js";
import { fault } from "../support/fault.js";
import { pubAcks, startScriptedLine } from "../support/scripted-line.js";

fault(
	{
		rows: ["F-59", "S-5"],
		injected:
			"the broker sends an un-acknowledged message three times more on the same connection, then gives the identifier to another",
	},
	"a copy is neither delivered nor acknowledged a second time; after the PUBACK the identifier is a new message",
	async ({ seen }) => {
		await using scene = await startScene();
		const connection = await scene.subscribed();
		connection.publish("a/b", "m", { qos: 1, messageId: 4 });
		for (let copy = 0; copy < 3; copy++) connection.publish("a/b", "m", { qos: 1, messageId: 4, dup: true });
		await eventually(() => expect(scene.it.client.counters.copies).toBe(3));
		expect(scene.it.deliveries).toHaveLength(1);
		scene.it.deliveries[0]!.ack();
		await connection.expect("puback", ({ messageId }) => messageId === 4);
		await connection.nothing(30);
		connection.publish("a/b", "n", { qos: 1, messageId: 4 });
		const other = await scene.it.delivered(2);
		await connection.nothing(30);
		other.ack();
		await connection.expect("puback", ({ messageId }) => messageId === 4);
		await connection.nothing(30);
		expect(scene.it.payloads).toEqual(["m", "n"]);
		seen(
			"3 copies counted, one delivery and one PUBACK; the reused identifier is a second delivery with a PUBACK of its own",
		);
	},
);

fault(
	{
		rows: ["S-5", "F-59"],
		injected: "a handler that takes 3 s, and a broker that sends its message again every 300 ms on the same connection",
		scale: "3 s and 300 ms instead of 10 s and 1 s",
	},
	"the app is called once, one PUBACK leaves, the connection stays",
	async ({ seen }) => {
		await using line = await startScriptedLine({ app: { delayMs: 3_000 } });
		const connection = await line.subscribed();
		connection.publish("in/a", "m", { qos: 1, messageId: 4 });
		for (let copy = 0; copy < 9; copy++) {
			await connection.nothing(300);
			connection.publish("in/a", "m", { qos: 1, messageId: 4, dup: true });
		}
		expect(await pubAcks(connection, 1)).toEqual([4]);
		await connection.nothing(300);
		expect(line.app.requests()).toHaveLength(1);
		seen("9 copies, one call, one PUBACK");
	},
);

fault(
	{
		rows: ["F-59"],
		injected:
			"the same identifier, topic and payload four times, with and without DUP, each after the PUBACK of the one before",
	},
	"[MQTT-4.3.2-2] after the PUBACK the same identifier is a new message, whatever DUP says and however alike it is",
	async ({ seen }) => {
		await using scene = await startScene({ onDelivery: (delivery) => delivery.ack() });
		const connection = await scene.subscribed();
		for (const dup of [false, true, true, false]) {
			connection.publish("a/b", "m", { qos: 1, messageId: 4, dup });
			await connection.expect("puback", ({ messageId }) => messageId === 4);
		}
		expect(scene.it.deliveries).toHaveLength(4);
		seen("4 deliveries, 4 PUBACKs");
	},
);

for (const [what, payload, dup] of [
	["another payload and DUP", "other", true],
	["another payload", "other", false],
	["the same payload but no DUP", "m", false],
] as const) {
	fault(
		{ rows: ["F-94"], injected: `an identifier comes again, with ${what}, while its first owner's handler runs` },
		`an identifier that comes again with ${what} is another message: it takes over the right to acknowledge`,
		async ({ seen }) => {
			await using scene = await startScene();
			const connection = await scene.subscribed();
			connection.publish("a/b", "m", { qos: 1, messageId: 4 });
			const older = await scene.it.delivered(1);
			older.running = true;
			connection.publish("a/b", payload, { qos: 1, messageId: 4, dup });
			const newer = await scene.it.delivered(2);
			expect(scene.it.died).toEqual([older]);
			expect(newer.deliverable).toBe(false);
			older.running = false;
			expect(newer.deliverable).toBe(true);
			expect(older.ack()).toBe(false);
			await connection.nothing(20);
			newer.ack();
			await connection.expect("puback", ({ messageId }) => messageId === 4);
			await connection.nothing(20);
			seen("the newer waits for the older's handler; only its acceptance is acknowledged, once");
		},
	);
}

fault(
	{
		rows: ["F-94"],
		injected:
			"a broker that lost its session gives a QoS 2 identifier, whose PUBREC was sent, to an equal and to another message",
	},
	"a QoS 2 identifier reused after a broker's restart is a new message, with Session Present 0 and with a payload that differs",
	async ({ seen }) => {
		await using scene = await startScene({
			subscriptions: [{ filter: "a/#", qos: 2 }],
			onDelivery: (delivery) => delivery.ack(),
		});
		const first = await scene.subscribed();
		first.publish("a/b", "m", { qos: 2, messageId: 9 });
		await first.expect("pubrec", ({ messageId }) => messageId === 9);
		first.close();
		// An earlier state of the session came back: the identifier stands for another message.
		const second = await scene.subscribed({ sessionPresent: true });
		second.publish("a/b", "n", { qos: 2, messageId: 9 });
		await second.expect("pubrec", ({ messageId }) => messageId === 9);
		expect(scene.it.payloads).toEqual(["m", "n"]);
		second.close();
		const third = await scene.subscribed({ sessionPresent: false });
		third.publish("a/b", "n", { qos: 2, messageId: 9 });
		await third.expect("pubrec", ({ messageId }) => messageId === 9);
		third.send({ cmd: "pubrel", messageId: 9 });
		await third.expect("pubcomp", ({ messageId }) => messageId === 9);
		expect(scene.it.payloads).toEqual(["m", "n", "n"]);
		seen("3 messages of one identifier over 3 connections: 3 deliveries, 3 PUBRECs");
	},
);
