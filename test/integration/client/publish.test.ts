import { describe, expect, test } from "vitest";
import { eventually } from "../../support/eventually.js";
import { startScene } from "./client-under-test.js";

const QUIET = { subscribes: false };

describe("publishing", () => {
	test("[MQTT-4.3.2-1] QoS 1: an unused identifier, DUP 0, and un-acknowledged until the PUBACK", async () => {
		await using scene = await startScene(QUIET);
		const connection = await scene.online();
		const settled: string[] = [];
		for (const payload of ["one", "two", "three"]) void scene.it.publish(payload).then(() => settled.push(payload));
		const ids: number[] = [];
		for (let count = 0; count < 3; count++) {
			const publish = await connection.expect("publish", ({ qos, dup }) => qos === 1 && !dup);
			ids.push(publish.messageId!);
		}
		expect(new Set(ids).size).toBe(3);
		expect(Math.min(...ids)).toBeGreaterThan(1);
		await connection.nothing(20);
		expect(settled).toEqual([]);
		connection.send({ cmd: "puback", messageId: ids[1]! });
		await eventually(() => expect(settled).toEqual(["two"]));
		for (const index of [2, 0]) connection.send({ cmd: "puback", messageId: ids[index]! });
		await eventually(() => expect(settled).toEqual(["two", "three", "one"]));
		expect(scene.it.client.status().pending).toBe(0);
	});

	test("[MQTT-2.3.1-5] QoS 0: no identifier, DUP 0, done when it was written", async () => {
		await using scene = await startScene(QUIET);
		const connection = await scene.online();
		expect(await scene.it.publish("m", { qos: 0 })).toBe("ok");
		const publish = await connection.expect("publish", ({ qos, dup }) => qos === 0 && !dup);
		expect(publish.messageId).toBeUndefined();
	});
});

describe("sending again", () => {
	test("it may take several connections, and stays in order", async () => {
		await using scene = await startScene(QUIET);
		const results = ["one", "two"].map((payload) => scene.it.publish(payload));
		for (let round = 0; round < 2; round++) {
			const connection = await scene.online({ sessionPresent: round > 0 });
			for (const text of ["one", "two"]) {
				await connection.expect("publish", (it) => String(it.payload) === text && it.dup === round > 0);
			}
			connection.close();
		}
		const last = await scene.online({ sessionPresent: true });
		for (const text of ["one", "two"]) {
			const { messageId } = await last.expect("publish", (it) => String(it.payload) === text && it.dup);
			last.send({ cmd: "puback", messageId: messageId! });
		}
		expect(await Promise.all(results)).toEqual(["ok", "ok"]);
	});

	test("[MQTT-3.1.2-6] with the session lost they are published anew, without DUP", async () => {
		await using scene = await startScene({ ...QUIET, cleanSession: true });
		const first = await scene.online();
		const published = scene.it.publish("m");
		await first.expect("publish");
		first.close();
		const second = await scene.online();
		const { messageId } = await second.expect("publish", ({ dup }) => !dup);
		second.send({ cmd: "puback", messageId: messageId! });
		expect(await published).toBe("ok");
	});

	test("QoS 0 is never sent again", async () => {
		await using scene = await startScene(QUIET);
		const first = await scene.online();
		expect(await scene.it.publish("m", { qos: 0 })).toBe("ok");
		await first.expect("publish");
		first.close();
		await (await scene.online({ sessionPresent: true })).nothing(30);
	});
});
