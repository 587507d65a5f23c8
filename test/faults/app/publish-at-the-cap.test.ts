import { expect } from "vitest";
import { startScene } from "../../integration/client/client-under-test.js";
import { pass, withFastTime } from "../../integration/client/fast-time.js";
import { eventually } from "../../support/eventually.js";
import type { ScriptedConnection } from "../../support/scripted-broker.js";
import { fault } from "../support/fault.js";

withFastTime();

const CAP = 100_000;

/** Sends messages of 30,000 bytes with these identifiers; four of them are beyond the cap. */
function send(connection: ScriptedConnection, ids: readonly number[]): void {
	for (const messageId of ids) connection.publish("a/b", Buffer.alloc(30_000, messageId), { qos: 1, messageId });
}

fault(
	{ rows: ["F-86", "F-87"], injected: "a publish while the socket is paused because maxBuffered is full" },
	"reading goes on at once: its PUBACK comes through, what is beyond the cap is passed by un-acknowledged",
	async ({ seen }) => {
		await using scene = await startScene({ maxBuffered: CAP, keepAliveMs: 600_000 });
		const connection = await scene.subscribed();
		send(connection, [1, 2, 3, 4]);
		await scene.it.delivered(4);
		await pass(100);
		send(connection, [5, 6]);
		const started = performance.now();
		const published = scene.it.publish("meanwhile");
		const { messageId } = await connection.expect("publish");
		connection.send({ cmd: "puback", messageId: messageId! });
		expect(await published).toBe("ok");
		expect(performance.now() - started).toBeLessThan(900);
		await eventually(() => expect(scene.it.client.counters.skipped).toBe(2));
		expect(scene.it.deliveries.map(({ packetId }) => packetId)).toEqual([1, 2, 3, 4]);
		expect(scene.it.client.status().buffered).toBeLessThan(CAP + 30_000);
		// One that is small comes too late as well: it would overtake those that were passed by.
		connection.publish("a/b", "small", { qos: 1, messageId: 7 });
		await eventually(() => expect(scene.it.client.counters.skipped).toBe(3));
		await connection.nothing(20);
		seen("PUBACK within 900 ms; 3 messages passed by, none acknowledged");
	},
);
