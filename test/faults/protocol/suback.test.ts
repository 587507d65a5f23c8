import { expect } from "vitest";
import { startScene } from "../../integration/client/client-under-test.js";
import { pass, withFastTime } from "../../integration/client/fast-time.js";
import { eventually } from "../../support/eventually.js";
import { fault } from "../support/fault.js";

withFastTime();

fault(
	{
		rows: ["F-54", "S-10"],
		injected: "SUBACK 0x80 for one of two filters, twice, then granted",
		scale: "an injected clock",
	},
	"refused: not subscribed, said so, and only the refused filter is asked for again, slowly, until it is granted",
	async ({ seen }) => {
		await using scene = await startScene({
			subscriptions: [
				{ filter: "a/#", qos: 1 },
				{ filter: "b/#", qos: 1 },
			],
		});
		const connection = await scene.online();
		await connection.grant([1, 0x80]);
		const refused = await scene.it.reported("subscription-refused");
		expect(refused).toMatchObject({ level: "error", message: 'the broker refused the subscription to "b/#"' });
		const problem = { filter: "b/#", granted: 0x80, asked: 1, blocking: true };
		expect(scene.it.client.status().problems).toEqual([problem]);
		await pass(2_400);
		await connection.nothing(0);
		await pass(8_600);
		expect((await connection.grant([0x80])).subscriptions).toMatchObject([{ topic: "b/#" }]);
		await pass(4_900);
		await connection.nothing(0);
		await pass(16_100);
		await connection.grant([1]);
		await eventually(() => expect(scene.it.client.status().problems).toEqual([]));
		await scene.it.reported("subscribed");
		await pass(60_000);
		await connection.nothing(0);
		seen(
			"the refused filter alone asked for again after 2.5 to 10 s and 5 to 20 s; subscribed at the third SUBACK, then quiet",
		);
	},
);

fault(
	{
		rows: ["F-54", "S-12"],
		injected: "SUBACK with QoS 0 where 1 was asked, and 1 where 2 was asked",
		scale: "an injected clock",
	},
	"granted 0 where 1 was asked: no guarantee, so it counts as refused; granted 1 where 2 was asked only warns",
	async ({ seen }) => {
		await using scene = await startScene({
			subscriptions: [
				{ filter: "a/#", qos: 1 },
				{ filter: "b/#", qos: 2 },
			],
		});
		const connection = await scene.online();
		await connection.grant([0, 1]);
		await eventually(() =>
			expect(scene.it.reports.filter(({ code }) => code === "subscription-downgraded")).toHaveLength(2),
		);
		expect(scene.it.reports.slice(-2)).toMatchObject([
			{ level: "error", message: expect.stringContaining("without a guarantee") },
			{ level: "warn", message: 'the broker granted QoS 1 for "b/#" where QoS 2 was asked' },
		]);
		expect(scene.it.client.status().problems.map(({ blocking }) => blocking)).toEqual([true, false]);
		await pass(11_000);
		expect((await connection.grant([1])).subscriptions).toMatchObject([{ topic: "a/#" }]);
		await eventually(() => expect(scene.it.client.status().problems.map(({ blocking }) => blocking)).toEqual([false]));
		seen("0 instead of 1 counts as refused and is asked for again; 1 instead of 2 is a warning");
	},
);

for (const [what, clause, bytes] of [
	["another identifier", "MQTT-3.8.4-2", (id: number) => [0x90, 3, (id + 1) >> 8, (id + 1) & 0xff, 1]],
	["two return codes for one filter", "MQTT-3.8.4-5", (id: number) => [0x90, 4, id >> 8, id & 0xff, 1, 1]],
	["no return code", "MQTT-3.8.4-5", (id: number) => [0x90, 2, id >> 8, id & 0xff]],
	["return code 3", "MQTT-3.9.3-2", (id: number) => [0x90, 3, id >> 8, id & 0xff, 3]],
	["more than was asked for", "MQTT-3.8.4-6", (id: number) => [0x90, 3, id >> 8, id & 0xff, 2]],
] as const) {
	fault(
		{ rows: ["F-54", "S-12"], injected: `a SUBACK with ${what}` },
		`[MQTT-4.8.0-1] a SUBACK with ${what} closes the connection`,
		async ({ seen }) => {
			await using scene = await startScene();
			const connection = await scene.online();
			const { messageId } = await connection.expect("subscribe");
			connection.sendRaw(bytes(messageId! < 65_535 ? messageId! : 1));
			await connection.closed;
			const { error } = await scene.it.reported("disconnected");
			expect(error).toMatchObject({ reason: "protocol", cause: { clause } });
			await scene.subscribed();
			seen(`closed with [${clause}]; subscribed on the next connection`);
		},
	);
}

fault(
	{ rows: ["F-54"], injected: "a SUBACK and an UNSUBACK that answer nothing" },
	"[MQTT-4.8.0-1] a SUBACK, and an UNSUBACK, that nothing asked for close the connection",
	async ({ seen }) => {
		await using scene = await startScene();
		const first = await scene.subscribed();
		first.sendRaw([0x90, 3, 0, 1, 1]);
		await first.closed;
		expect((await scene.it.reported("disconnected")).message).toContain("[MQTT-3.8.4-2]");
		const second = await scene.subscribed();
		second.sendRaw([0xb0, 2, 0, 1]);
		await second.closed;
		await eventually(() => expect(scene.it.reports.at(-1)?.message).toContain("[MQTT-4.8.0-1]"));
		await scene.subscribed();
		seen("each closes its connection, with the clause");
	},
);

fault(
	{ rows: ["F-54", "S-12"], injected: "no SUBACK, though PINGREQ is answered", scale: "an injected clock" },
	"after 10 s the broker is asked for a sign of life, 10 s after that sign the connection is closed",
	async ({ seen }) => {
		await using scene = await startScene({ keepAliveMs: 600_000 });
		const connection = await scene.online();
		connection.answerPings = false;
		await connection.expect("subscribe");
		await pass(9_400);
		await connection.nothing(0);
		await pass(1_600);
		await connection.expect("pingreq");
		connection.send({ cmd: "pingresp" });
		await pass(9_000);
		expect(scene.it.client.state).toBe("online");
		await pass(3_000);
		await connection.closed;
		const { error } = await scene.it.reported("disconnected");
		expect(error).toMatchObject({ reason: "protocol", message: expect.stringContaining("no SUBACK") });
		await scene.subscribed();
		seen(
			`PINGREQ after 10 s, closed 10 s after its PINGRESP with "${error?.message}"; subscribed on the next connection`,
		);
	},
);

fault(
	{ rows: ["F-54"], injected: "a SUBACK that takes 18 s", scale: "an injected clock" },
	"one that comes late, but before that, is as good as any",
	async ({ seen }) => {
		await using scene = await startScene({ keepAliveMs: 600_000 });
		const connection = await scene.online();
		const { messageId } = await connection.expect("subscribe");
		await pass(18_000);
		connection.send({ cmd: "suback", messageId: messageId!, granted: [1] });
		await scene.it.reported("subscribed");
		await pass(60_000);
		await connection.nothing(0);
		expect(scene.it.client.state).toBe("online");
		seen("subscribed, on the same connection");
	},
);
