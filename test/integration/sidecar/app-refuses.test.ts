import { expect, test } from "vitest";
import { describeWith } from "../../support/left-out.js";
import { logged } from "./component.js";
import { type Line, numbers, startLine } from "./line.js";

const REFUSED = { rules: [{ pattern: "^bad", status: 500 }] };

async function publish({ device }: Line, payloads: readonly string[]): Promise<void> {
	await device.publishAll(payloads.length, (index) => ({ topic: "in/a", payload: payloads[index]! }));
}

describeWith("mosquitto", "an app that refuses messages", () => {
	test("backOffMaxRetries: a message is tried again so often, and others flow meanwhile; attempt says which try it is", async () => {
		const fields = { backOffMaxRetries: 2, backOffInterval: "100ms", onRetriesExhausted: "drop" };
		await using line = await startLine({ app: REFUSED, fields });
		const { app, sidecar } = line;
		await publish(line, ["bad 0", ...numbers(40)]);
		await app.acceptedAtLeast(40);
		await sidecar.line(/code=dropped /);
		const tries = app.requests().filter(({ payload }) => String(payload) === "bad 0");
		expect(tries.map(({ headers }) => headers.attempt)).toEqual([undefined, "2", "3"]);
		for (const [index, { at }] of tries.slice(1).entries()) expect(at - tries[index]!.at).toBeGreaterThan(95);
		const [dropped, ...more] = logged(sidecar, "dropped");
		expect(more).toEqual([]);
		expect(dropped).toMatch(
			/level=error .*msg="dropped: retries are used up: the app answered 500 to POST \/orders" topic=in\/a bytes=5 qos=1 attempts=3/,
		);
	});

	test("backOffMaxRetries -1: a message is tried again until it is accepted", async () => {
		const app = { rules: [{ pattern: "^bad", status: 503, times: 12 }] };
		await using line = await startLine({ app, fields: { backOffMaxRetries: -1, backOffInterval: "20ms" } });
		await publish(line, ["bad 0"]);
		await line.app.acceptedAtLeast(1);
		expect(line.app.requests().map(({ headers }) => headers.attempt)).toEqual([undefined, ...numbers(11, 2), "13"]);
		// One line a second at most, with the number of those that it stands for.
		expect(logged(line.sidecar, "delivery-failed").length).toBeLessThanOrEqual(3);
	});
});
