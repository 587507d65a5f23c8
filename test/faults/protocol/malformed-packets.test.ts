import { expect } from "vitest";
import { delayOf, startScene } from "../../integration/client/client-under-test.js";
import { pass, withFastTime } from "../../integration/client/fast-time.js";
import { type PacketCase, packetCorpus } from "../../support/packet-corpus.js";
import { fault } from "../support/fault.js";

withFastTime();

const wrong = packetCorpus.filter(({ from, clause }) => from === "server" && clause !== undefined);

/** In groups, each with a client of its own that has to bear all of its packets. */
const groups = new Map<string, PacketCase[]>();
for (const it of wrong) groups.set(it.clause!, [...(groups.get(it.clause!) ?? []), it]);

for (const [clause, cases] of groups) {
	fault(
		{
			rows: ["F-53", "S-34"],
			injected: `${cases.length} packets of ${new Set(cases.map(({ bytes }) => bytes[0]! >> 4)).size} types that break [${clause}], with two messages un-acknowledged before each`,
			scale: "an injected clock",
		},
		`[MQTT-4.8.0-1] [${clause}] each closes the connection with the clause in the report; nothing unaccepted is acknowledged, and the next connection is clean`,
		async ({ seen }) => {
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
			seen(
				`${cases.length} of ${cases.length} closed with [${clause}] in the report, ${cases.length} clean reconnects`,
			);
		},
	);
}
