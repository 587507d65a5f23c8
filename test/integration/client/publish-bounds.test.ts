import { describe, expect, test } from "vitest";
import { eventually } from "../../support/eventually.js";
import type { ScriptedConnection } from "../../support/scripted-broker.js";
import { startScene } from "./client-under-test.js";
import { pass, withFastTime } from "./fast-time.js";

withFastTime();

const QUIET = { subscribes: false, publishTimeoutMs: 600_000, keepAliveMs: 600_000 };
const MIB = 1024 * 1024;

/** Takes PUBLISHes until there are none, and answers them. */
async function answerAll(connection: ScriptedConnection, count: number): Promise<void> {
	for (let taken = 0; taken < count; taken++) {
		connection.send({ cmd: "puback", messageId: (await connection.expect("publish")).messageId! });
	}
}

describe("I8: publishes are bounded", () => {
	test("64 MiB of them", async () => {
		await using scene = await startScene(QUIET);
		const connection = await scene.online();
		for (let count = 0; count < 16; count++) void scene.it.publish(Buffer.alloc(4 * MIB - 1));
		expect(await scene.it.publish(Buffer.alloc(17))).toMatch(/^not sent: too many pending: 16 publishes/);
		void scene.it.publish(Buffer.alloc(16));
		await answerAll(connection, 16);
		void scene.it.publish(Buffer.alloc(17));
		await answerAll(connection, 2);
		await eventually(() => expect(scene.it.client.status().pending).toBe(0));
	});

	test.each([
		["2,048 are", () => Array.from({ length: 2_048 }, () => Buffer.alloc(1)), Buffer.alloc(1)],
		["another one does not fit beside those that are", () => [Buffer.alloc(40 * MIB)], Buffer.alloc(40 * MIB)],
	])(
		"the connection is closed when %s unanswered and no acknowledgement came for 30 s",
		async (_, payloads, another) => {
			await using scene = await startScene(QUIET);
			const connection = await scene.online();
			for (const payload of payloads()) void scene.it.publish(payload);
			expect(await scene.it.publish(another)).toMatch(/^not sent: too many/);
			await pass(29_000);
			expect(scene.it.client.state).toBe("online");
			await pass(2_500);
			await connection.closed;
			const { error } = await scene.it.reported("disconnected");
			expect(error).toMatchObject({
				reason: "dead",
				message: expect.stringContaining("too many publishes are pending"),
			});
			const second = await scene.online({ sessionPresent: true });
			await second.expect("publish", ({ dup }) => dup);
		},
	);

	test("it is not closed while answers come, however slowly, or while there is room", async () => {
		await using scene = await startScene(QUIET);
		const connection = await scene.online();
		const ids: number[] = [];
		const fill = () => void scene.it.publish("m");
		for (let count = 0; count < 2_048; count++) fill();
		for (let count = 0; count < 2_048; count++) ids.push((await connection.expect("publish")).messageId!);
		for (const id of ids.slice(0, 4)) {
			await pass(25_000);
			connection.send({ cmd: "puback", messageId: id });
			await eventually(() => expect(scene.it.client.status().pending).toBe(2_047));
			fill();
		}
		expect(scene.it.client.state).toBe("online");
		connection.send({ cmd: "puback", messageId: ids[5]! });
		await eventually(() => expect(scene.it.client.status().pending).toBe(2_047));
		await pass(120_000);
		expect(scene.it.client.state).toBe("online");
	});
});
