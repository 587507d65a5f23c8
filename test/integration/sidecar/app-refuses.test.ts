import { expect, test } from "vitest";
import { eventually } from "../../support/eventually.js";
import { describeWith } from "../../support/left-out.js";
import { logged, reasons, untilReady, untilReason } from "./component.js";
import { type Line, numbers, startLine, texts } from "./line.js";

const REFUSED = { rules: [{ pattern: "^bad", status: 500 }] };

function bad(count: number): string[] {
	return numbers(count).map((number) => `bad ${number}`);
}

async function publish({ device }: Line, payloads: readonly string[]): Promise<void> {
	await device.publishAll(payloads.length, (index) => ({ topic: "in/a", payload: payloads[index]! }));
}

/** How often a sidecar has connected to the broker of this line. */
function connects({ broker }: Line): number {
	return broker.log.filter((text) => /New client connected .* as sidecar-orders /.test(text)).length;
}

describeWith("mosquitto", "an app that refuses messages", () => {
	test("F-43: it refuses 15: the 16th arrives at once, and those again by themselves when it accepts, on the same connection", async () => {
		await using line = await startLine({ app: REFUSED, fields: { holdInterval: "2s" } });
		const { app, sidecar } = line;
		await publish(line, [...bad(15), "good"]);
		await app.acceptedAtLeast(1, 2_000);
		expect(texts(app.accepted())).toEqual(["good"]);
		expect(texts(app.requests())).toEqual([...bad(15), "good"]);
		expect((await sidecar.ready()).status).toBe(200);
		const held = await untilReason(sidecar, "held");
		expect(held.message).toBe('15 messages are held because the app refused them (topic "in/a")');

		await app.answer({});
		const accepted = texts(await app.acceptedAtLeast(16));
		expect(accepted.sort()).toEqual(["good", ...bad(15)].sort());
		expect(await reasons(sidecar)).toEqual([]);
		expect(connects(line)).toBe(1);
	});

	test("F-44: it refuses 25, more than the broker's window: stalled, once in the log and in readiness, until it accepts", async () => {
		await using line = await startLine({ app: REFUSED, fields: { holdInterval: "1s" } });
		const { app, sidecar } = line;
		await publish(line, [...bad(25), "good"]);
		await sidecar.line(/code=stalled /);
		const stalled = await untilReason(sidecar, "stalled");
		expect(stalled.message).toMatch(/^stalled: nothing new for \d+ s, .*\b20 messages.*refused.*\(topic "in\/a"\)/);
		expect((await sidecar.ready()).status).toBe(503);
		expect((await fetch(`${sidecar.url}/v1.0/healthz`)).status, "no reason to restart the pod").toBe(204);
		expect(texts(app.requests())).not.toContain("good");
		const answer = await sidecar.create("orders", { operation: "create", data: 1, metadata: { topic: "out/x" } });
		expect(answer.status, "the other direction goes on").toBe(204);

		await app.answer({});
		await app.acceptedAtLeast(26, 15_000);
		await untilReady(sidecar);
		await sidecar.line(/code=stalled-no-more /);
		expect(logged(sidecar, "stalled")).toHaveLength(1);
		expect(connects(line)).toBe(1);
		expect(texts(app.accepted()).sort()).toEqual(["good", ...bad(25)].sort());
	});

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

	test.each([429, 503])("%i with Retry-After sets the time until the next attempt", async (status) => {
		const app = { rules: [{ pattern: "^bad", status, headers: { "retry-after": "1" }, times: 1 }] };
		await using line = await startLine({ app, fields: { backOffMaxRetries: 1, backOffInterval: "20ms" } });
		await publish(line, ["bad 0"]);
		await line.app.acceptedAtLeast(1);
		const [first, second] = line.app.requests();
		expect(second!.at - first!.answeredAt!).toBeGreaterThan(950);
	});

	test.each([201, 204, 302, 400, 404, 429, 500])("F-38: %i is an answer of which only 2xx accepts", async (status) => {
		await using line = await startLine({ app: { status, headers: { location: "/elsewhere" } } });
		const { app, sidecar } = line;
		await publish(line, ["x"]);
		await eventually(() => expect(app.requests()).toHaveLength(1));
		if (status < 300) await app.acceptedAtLeast(1);
		else await sidecar.line(new RegExp(`the app answered ${status} to POST /orders.*code=held\\b`));
		expect(app.requests()).toHaveLength(1);
	});
});
