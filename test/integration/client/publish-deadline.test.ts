import { describe, expect, test } from "vitest";
import { PublishError } from "../../../src/errors.js";
import { eventually } from "../../support/eventually.js";
import { freePort } from "../../support/free-port.js";
import { ClientUnderTest, startScene } from "./client-under-test.js";
import { pass, withFastTime } from "./fast-time.js";

withFastTime();

const QUIET = { subscribes: false };

describe("a publish that is late", () => {
	test("F-21: without a PUBACK: outcome unknown, in time", async () => {
		await using scene = await startScene(QUIET);
		const connection = await scene.online();
		const published = scene.it.client.publish(
			{ topic: "a", payload: Buffer.from("m"), qos: 1, retain: false },
			{ timeoutMs: 8_000 },
		);
		published.catch(() => {});
		await connection.expect("publish");
		await pass(9_000);
		await expect(published).rejects.toThrow(PublishError);
		await expect(published).rejects.toMatchObject({
			outcome: "unknown",
			pending: false,
			message: "outcome unknown: the broker did not answer in time",
		});
	});

	test("F-23: I7: what was written and given up is not written again, neither DUP nor anew", async () => {
		await using scene = await startScene(QUIET);
		for (const sessionPresent of [true, false]) {
			const first = await scene.online({ sessionPresent: true });
			const given = scene.it.publish("given up", { timeoutMs: 8_000 });
			await first.expect("publish");
			first.close();
			const second = await scene.broker.accept();
			await second.expect("connect");
			await pass(9_000);
			expect(await given).toMatch(/^outcome unknown: /);
			second.send({ cmd: "connack", returnCode: 0, sessionPresent });
			await second.nothing(40);
			second.close();
		}
	});

	test("I7: what was given up before anything was connected is never written", async () => {
		await using scene = await startScene(QUIET);
		const connection = await scene.broker.accept();
		await connection.expect("connect");
		expect(await scene.it.publish("m", { timeoutMs: 20 })).toMatch(/^not sent: not connected/);
		connection.send({ cmd: "connack", returnCode: 0, sessionPresent: false });
		await connection.nothing(40);
	});

	test("each has its own deadline", async () => {
		await using it = new ClientUnderTest(`mqtt://127.0.0.1:${await freePort()}`);
		const ended: number[] = [];
		const all = [120, 20, 70].map((timeoutMs) =>
			it.publish("m", { timeoutMs, qos: timeoutMs === 70 ? 2 : 1 }).then(() => ended.push(timeoutMs)),
		);
		await pass(500);
		await Promise.all(all);
		expect(ended).toEqual([20, 70, 120]);
	});

	test("a PUBACK that comes after the deadline frees the identifier and tells nobody", async () => {
		await using scene = await startScene(QUIET);
		const connection = await scene.online();
		const published = scene.it.publish("m", { timeoutMs: 8_000 });
		const { messageId } = await connection.expect("publish");
		await pass(9_000);
		expect(await published).toMatch(/^outcome unknown/);
		expect(scene.it.client.status().pending).toBe(1);
		connection.send({ cmd: "puback", messageId: messageId! });
		await eventually(() => expect(scene.it.client.status().pending).toBe(0));
	});
});

describe("F-30: a publish that is cancelled", () => {
	test("before anything was written: not sent, and it never is", async () => {
		await using scene = await startScene(QUIET);
		const connection = await scene.broker.accept();
		await connection.expect("connect");
		const controller = new AbortController();
		const published = scene.it.publish("m", { signal: controller.signal });
		controller.abort();
		expect(await published).toBe("not sent: the call was cancelled");
		expect(await scene.it.publish("m", { signal: AbortSignal.abort() })).toBe("not sent: the call was cancelled");
		connection.send({ cmd: "connack", returnCode: 0, sessionPresent: false });
		await connection.nothing(30);
	});

	test("after it was written: outcome unknown", async () => {
		await using scene = await startScene(QUIET);
		const connection = await scene.online();
		const controller = new AbortController();
		const published = scene.it.publish("m", { signal: controller.signal });
		await connection.expect("publish");
		controller.abort();
		expect(await published).toBe("outcome unknown: the call was cancelled");
	});

	test("after it succeeded: nothing", async () => {
		await using scene = await startScene(QUIET);
		const connection = await scene.online();
		const controller = new AbortController();
		const published = scene.it.publish("m", { signal: controller.signal });
		connection.send({ cmd: "puback", messageId: (await connection.expect("publish")).messageId! });
		expect(await published).toBe("ok");
		controller.abort();
		await connection.nothing(20);
	});
});
