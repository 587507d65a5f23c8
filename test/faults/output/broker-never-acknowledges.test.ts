import { expect } from "vitest";
import { startScene } from "../../integration/client/client-under-test.js";
import { fault } from "../support/fault.js";

fault(
	{ rows: ["S-17"], injected: "70,000 publishes at once to a broker that acknowledges none" },
	"publishes that nobody acknowledges are bounded, and no packet identifier is used twice",
	async ({ seen }) => {
		await using scene = await startScene({ subscribes: false, publishTimeoutMs: 600_000, keepAliveMs: 600_000 });
		const connection = await scene.online();
		const told: string[] = [];
		for (let index = 0; index < 70_000; index++) {
			void scene.it.publish(String(index)).then((result) => void told.push(result));
		}
		const ids = new Set<number>();
		for (let taken = 0; taken < 2_048; taken++) ids.add((await connection.expect("publish")).messageId!);
		expect(ids.size).toBe(2_048);
		await connection.nothing(50);
		expect(scene.it.client.status().pending).toBe(2_048);
		expect(told).toHaveLength(70_000 - 2_048);
		expect(told.filter((result) => !/^not sent: too many pending/.test(result))).toEqual([]);
		for (const messageId of ids) connection.send({ cmd: "puback", messageId });
		await expect.poll(() => told.filter((result) => result === "ok").length, { timeout: 10_000 }).toBe(2_048);
		seen(
			"2,048 written, each with an identifier of its own, and 67,952 not sent, too many pending; acknowledged at last, the 2,048 succeeded",
		);
	},
	60_000,
);
