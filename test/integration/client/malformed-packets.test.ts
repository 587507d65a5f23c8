import { describe, expect, test } from "vitest";
import { type PacketCase, packetCorpus } from "../../support/packet-corpus.js";
import { delayOf, startScene } from "./client-under-test.js";
import { pass, withFastTime } from "./fast-time.js";

withFastTime();

const fromServer = packetCorpus.filter(({ from }) => from === "server");
const wrong = fromServer.filter(({ clause }) => clause !== undefined);

/** In groups, each with a client of its own that has to bear all of its packets. */
const groups = new Map<string, PacketCase[]>();
for (const it of wrong) groups.set(it.clause!, [...(groups.get(it.clause!) ?? []), it]);

describe("F-53: bytes that are no MQTT", () => {
	test("there is a good number of them", () => {
		expect(wrong.length).toBeGreaterThan(200);
		expect(groups.size).toBeGreaterThan(10);
	});

	for (const [clause, cases] of groups) {
		test(`[MQTT-4.8.0-1] [${clause}] ${cases.length} kinds close the connection with the clause in the report; nothing unaccepted is acknowledged, and the next connection is clean`, async () => {
			await using scene = await startScene();
			let lost = 0;
			for (const { name, bytes } of cases) {
				const connection = await scene.subscribed({ sessionPresent: true });
				const before = scene.it.deliveries.length;
				connection.publish("a/b", `refused before ${name}`, { qos: 1, messageId: 1 });
				const accepted = scene.it.delivered(before + 2);
				connection.publish("a/b", `accepted before ${name}`, { qos: 1, messageId: 2 });
				(await accepted).ack();
				connection.sendRaw(bytes);
				await connection.closed;
				const report = await scene.it.reported("disconnected", ++lost);
				expect(report.error, name).toMatchObject({ reason: "protocol", cause: { clause } });
				expect(report.message).toContain(`[${clause}]`);
				expect(connection.received.map(({ packet }) => packet.cmd)).toEqual(["connect", "subscribe"]);
				await pass(delayOf(report) + 1);
			}
			await scene.subscribed({ sessionPresent: true });
			const good = cases.reduce((sum, { packets = 0 }) => sum + packets, 0);
			expect(scene.it.deliveries.length).toBeLessThanOrEqual(2 * cases.length + good);
		});
	}
});

test("[MQTT-4.8.0-2] an error of our own while a packet is handled closes the connection with its cause, and the broker sends the packet again", async () => {
	const bug = new TypeError("not a function");
	let isBroken = true;
	await using scene = await startScene({
		onDelivery: (delivery) => {
			if (isBroken) throw bug;
			delivery.ack();
		},
	});
	const first = await scene.subscribed();
	first.publish("a/b", "m", { qos: 1, messageId: 1 });
	first.publish("a/b", "n", { qos: 1, messageId: 2 });
	await first.closed;
	expect((await scene.it.reported("disconnected")).error).toMatchObject({ reason: "local", cause: bug });
	expect(first.received.map(({ packet }) => packet.cmd)).toEqual(["connect", "subscribe"]);
	isBroken = false;
	const second = await scene.subscribed({ sessionPresent: true });
	second.publish("a/b", "n", { qos: 1, messageId: 2, dup: true });
	await second.expect("puback", ({ messageId }) => messageId === 2);
});
