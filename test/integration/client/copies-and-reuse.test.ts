import { expect, test } from "vitest";
import { eventually } from "../../support/eventually.js";
import { startScene } from "./client-under-test.js";

test("F-59: a copy of a message that is still un-acknowledged is neither delivered nor acknowledged a second time", async () => {
	await using scene = await startScene();
	const connection = await scene.subscribed();
	connection.publish("a/b", "m", { qos: 1, messageId: 4 });
	for (let copy = 0; copy < 3; copy++) connection.publish("a/b", "m", { qos: 1, messageId: 4, dup: true });
	await eventually(() => expect(scene.it.client.counters.copies).toBe(3));
	expect(scene.it.deliveries).toHaveLength(1);
	scene.it.deliveries[0]!.ack();
	await connection.expect("puback", ({ messageId }) => messageId === 4);
	await connection.nothing(30);
});

test("[MQTT-4.3.2-2] after the PUBACK the same identifier is a new message, whatever DUP says and however alike it is", async () => {
	await using scene = await startScene({ onDelivery: (delivery) => delivery.ack() });
	const connection = await scene.subscribed();
	for (const dup of [false, true, true, false]) {
		connection.publish("a/b", "m", { qos: 1, messageId: 4, dup });
		await connection.expect("puback", ({ messageId }) => messageId === 4);
	}
	expect(scene.it.deliveries).toHaveLength(4);
});

test.each<[string, string, boolean]>([
	["another payload and DUP", "other", true],
	["another payload", "other", false],
	["the same payload but no DUP", "m", false],
])(
	"F-94: an identifier that comes again with %s is another message: it takes over the right to acknowledge",
	async (_, payload, dup) => {
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
	},
);
