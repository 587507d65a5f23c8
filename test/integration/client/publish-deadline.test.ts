import { describe, expect, test } from "vitest";
import { freePort } from "../../support/free-port.js";
import { ClientUnderTest } from "./client-under-test.js";
import { pass, withFastTime } from "./fast-time.js";

withFastTime();

describe("a publish that is late", () => {
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
});
