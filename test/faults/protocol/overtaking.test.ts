import { expect } from "vitest";
import { delayOf, type Scene, startScene } from "../../integration/client/client-under-test.js";
import { pass, withFastTime } from "../../integration/client/fast-time.js";
import type { ScriptedConnection } from "../../support/scripted-broker.js";
import { fault } from "../support/fault.js";

withFastTime();

/** Ends a connection and lets the time to the next attempt pass; returns that time. */
async function end(scene: Scene, connection: ScriptedConnection, count: number): Promise<number> {
	connection.close();
	const delayMs = delayOf(await scene.it.reported("disconnected", count));
	await pass(delayMs + 1);
	return delayMs;
}

/** Two messages, of which the second is acknowledged while the first is passed over. */
async function overtake(scene: Scene, connection: ScriptedConnection, dup: boolean, from: number): Promise<void> {
	connection.publish("a/b", "refused", { qos: 1, messageId: 1, dup });
	connection.publish("a/b", `taken ${from}`, { qos: 1, messageId: 2 });
	await scene.it.delivered(from + 1);
	scene.it.deliveries[0]!.passOver();
	scene.it.deliveries.at(-1)!.ack();
	await connection.expect("puback", ({ messageId }) => messageId === 2);
}

fault(
	{
		rows: ["F-82"],
		injected: "the broker closes the connection when a PUBACK overtakes another, twice",
		scale: "an injected clock",
	},
	"after the second time acknowledgements keep the order of arrival, and that is said; nothing is lost, no third close",
	async ({ seen }) => {
		await using scene = await startScene();
		const first = await scene.subscribed();
		await overtake(scene, first, false, 1);
		await end(scene, first, 1);
		const second = await scene.subscribed({ sessionPresent: true });
		await overtake(scene, second, true, 2);
		expect(scene.it.client.status()).toMatchObject({ strict: false, insistsOnOrder: false });
		await end(scene, second, 2);
		const third = await scene.subscribed({ sessionPresent: true });
		expect(scene.it.client.status()).toMatchObject({ strict: true, insistsOnOrder: true });
		expect(scene.it.reports.filter(({ code }) => code === "strict-order")).toHaveLength(1);
		third.publish("a/b", "refused", { qos: 1, messageId: 1, dup: true });
		third.publish("a/b", "taken", { qos: 1, messageId: 2 });
		await scene.it.delivered(4);
		scene.it.deliveries[0]!.passOver();
		scene.it.deliveries.at(-1)!.ack();
		await third.nothing(30);
		scene.it.deliveries[0]!.ack();
		for (const id of [1, 2]) await third.expect("puback", ({ messageId }) => messageId === id);
		await third.nothing(0);
		expect(scene.it.client.state).toBe("online");
		seen("strict order from the third connection on, said once; there PUBACKs left 1, 2 though 2 was accepted first");
	},
);

fault(
	{
		rows: ["F-82"],
		injected: "three connections that the broker ends 1.5 s after an overtaking PUBACK",
		scale: "an injected clock",
	},
	"a broker that ends connections for other reasons changes nothing",
	async ({ seen }) => {
		await using scene = await startScene();
		for (let round = 1; round <= 3; round++) {
			const connection = await scene.subscribed({ sessionPresent: round > 1 });
			await overtake(scene, connection, round > 1, round);
			await pass(1_500);
			await end(scene, connection, round);
		}
		expect(scene.it.client.status().strict).toBe(false);
		seen("the order stays that of arrival, with passing over");
	},
);
