import { expect } from "vitest";
import { startScene } from "../../integration/client/client-under-test.js";
import { pass, withFastTime } from "../../integration/client/fast-time.js";
import type { ScriptedConnection } from "../../support/scripted-broker.js";
import { fault } from "../support/fault.js";

withFastTime();

const QUIET = { subscribes: false, publishTimeoutMs: 600_000, keepAliveMs: 600_000 };
const MIB = 1024 * 1024;

/** Takes PUBLISHes until there are none, and answers them. */
async function answerAll(connection: ScriptedConnection, count: number): Promise<void> {
	for (let taken = 0; taken < count; taken++) {
		connection.send({ cmd: "puback", messageId: (await connection.expect("publish")).messageId! });
	}
}

fault(
	{
		rows: ["F-29"],
		injected: "the broker stops reading for 6 s",
		scale: "an injected clock, 50 or 60 publishes of 1 MiB",
	},
	"a broker that stops reading lets publishes wait here, from where they are withdrawn without a byte of them sent",
	async ({ seen }) => {
		await using scene = await startScene(QUIET);
		const connection = await scene.online();
		connection.pause();
		const results: (string | undefined)[] = [];
		const all = Array.from({ length: 60 }, (_, index) =>
			scene.it.publish(Buffer.alloc(MIB, index), { timeoutMs: 5_000 }).then((result) => {
				results[index] = result;
			}),
		);
		await pass(6_000);
		await Promise.all(all);
		const notSent = results.filter((result) => result === "not sent: the connection did not take it in time");
		const unknown = results.filter((result) => result?.startsWith("outcome unknown: "));
		expect(notSent.length).toBeGreaterThan(30);
		expect(notSent.length + unknown.length).toBe(60);
		// They are in order: what is not sent came last.
		expect(results.indexOf(notSent[0])).toBe(unknown.length);
		connection.resume();
		await answerAll(connection, unknown.length);
		await connection.nothing(50);
		expect(scene.it.client.status().pending).toBe(0);
		seen(`${notSent.length} of 60 not sent, the ${unknown.length} before them outcome unknown`);
	},
);

fault(
	{
		rows: ["F-29"],
		injected: "the broker stops reading for 1 s, then reads on",
		scale: "an injected clock, 50 or 60 publishes of 1 MiB",
	},
	"when it reads again, what still waits leaves in order",
	async ({ seen }) => {
		await using scene = await startScene(QUIET);
		const connection = await scene.online();
		connection.pause();
		const all = Array.from({ length: 50 }, (_, index) => scene.it.publish(Buffer.alloc(MIB, index)));
		await pass(1_000);
		connection.resume();
		for (let index = 0; index < 50; index++) {
			const { messageId } = await connection.expect("publish", ({ payload }) => (payload as Buffer)[0] === index);
			connection.send({ cmd: "puback", messageId: messageId! });
		}
		expect(new Set(await Promise.all(all))).toEqual(new Set(["ok"]));
		seen("50 of 50 in order, all answered");
	},
);
