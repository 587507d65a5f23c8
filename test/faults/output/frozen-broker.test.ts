import { setMaxListeners } from "node:events";
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
		injected: "a broker that stops reading, and 60 publishes of 1 MiB with a deadline of 5 s",
		scale: "an injected clock",
	},
	"publishes wait here, from where they are withdrawn without a byte of them sent",
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
		seen(`${unknown.length} of unknown outcome, ${notSent.length} not sent and never written`);
	},
);

fault(
	{
		rows: ["F-29"],
		injected: "a broker that stops reading, 50 publishes of 1 MiB, and then reads again",
		scale: "an injected clock",
	},
	"what still waits leaves in order",
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
		seen("50 of 50, in order");
	},
);

fault(
	{
		rows: ["S-17", "F-28"],
		injected: "70,000 publishes at once, and a broker that acknowledges none of them",
	},
	"2,048 are written under as many identifiers, the rest is not sent, at once: no identifier is used twice, no memory",
	async ({ seen }) => {
		await using scene = await startScene(QUIET);
		const connection = await scene.online();
		const payload = Buffer.from("m");
		const before = process.memoryUsage().heapUsed;
		const outcomes = new Map<string, number>();
		const controller = new AbortController();
		setMaxListeners(0, controller.signal);
		const all: Promise<unknown>[] = [];
		for (let index = 0; index < 70_000; index++) {
			const published = scene.it.publish(payload, { signal: controller.signal });
			all.push(published.then((outcome) => outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)));
			if (index % 5_000 === 0) await pass(10);
		}
		const ids = new Set<number>();
		for (let count = 0; count < 2_048; count++) ids.add((await connection.expect("publish")).messageId!);
		expect(ids.size).toBe(2_048);
		await connection.nothing(20);
		expect(scene.it.client.status().pending).toBe(2_048);
		const refused = [...outcomes].filter(([outcome]) => outcome.startsWith("not sent: too many pending"));
		expect(refused.reduce((sum, [, count]) => sum + count, 0)).toBe(70_000 - 2_048);
		expect(process.memoryUsage().heapUsed - before).toBeLessThan(150 * MIB);
		controller.abort();
		await Promise.all(all);
		seen(`2,048 written, ${(70_000 - 2_048).toLocaleString("en")} not sent: "${refused[0]![0]}"`);
	},
	60_000,
);
