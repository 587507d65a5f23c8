import { expect } from "vitest";
import { startLine, texts } from "../../integration/sidecar/line.js";
import type { AppAnswer } from "../../support/app-script.js";
import { eventually } from "../../support/eventually.js";
import { fault } from "../support/fault.js";
import { pubAcks, startScriptedLine } from "../support/scripted-line.js";
import { startWatchedLine } from "../support/watched-line.js";

/** By the message that is answered so. */
const ACCEPTING: Readonly<Record<string, AppAnswer>> = {
	"200 slow": { bodySize: 20_000, bodyDelayMs: 300 },
	"201": { status: 201, body: "created" },
	"204": { status: 204 },
	"200 with 5 MiB": { bodySize: 5 * 1024 * 1024 },
	"103, then 200": {
		raw: "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
	},
};

const FAILING: Readonly<Record<string, AppAnswer>> = {
	...Object.fromEntries(
		[301, 302, 307, 400, 404, 409, 429, 499, 500, 503].map((status) => [
			String(status),
			{ status, headers: { location: "/elsewhere" } },
		]),
	),
	"reset after the status line": { end: "reset after headers", bodySize: 100 },
	"no HTTP": { raw: "this is no HTTP\r\n\r\n" },
	"half a status line": { raw: "HTTP/1.1 20" },
	"a body that breaks off": { raw: "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf" },
	"never an answer": { end: "hang" },
};

fault(
	{
		rows: ["F-38", "S-29"],
		injected: `answers of all kinds: ${[...Object.keys(ACCEPTING), ...Object.keys(FAILING)].join(", ")}; backOffMaxRetries: 0 with a dead-letter topic`,
	},
	"only a complete 2xx accepts; every other one is a failed attempt of its own, once, and no redirect is followed",
	async ({ seen }) => {
		const answers = { ...ACCEPTING, ...FAILING };
		await using line = await startLine({
			app: { rules: Object.entries(answers).map(([payload, answer]) => ({ payloads: [payload], ...answer })) },
			fields: { backOffMaxRetries: 0, deadLetterTopic: "dead", handlerTimeout: "3s" },
			broker: { logPackets: true },
		});
		const { app, broker, device } = line;
		await device.subscribe("dead", 1);
		const payloads = Object.keys(answers);
		await device.publishAll(payloads.length, (index) => ({ topic: "in/a", payload: payloads[index]! }));
		const failed = () =>
			device.messages.map(({ payload }) => Buffer.from(JSON.parse(String(payload)).payload, "base64").toString());
		await eventually(() => expect(failed().sort()).toEqual(Object.keys(FAILING).sort()), { timeoutMs: 15_000 });
		// Nothing is handed over twice, and nothing goes elsewhere.
		expect(texts(app.requests()).sort()).toEqual(payloads.sort());
		expect(new Set(app.requests().map(({ path }) => path)).size).toBe(1);
		const acks = () => broker.log.filter((text) => /Received PUBACK from sidecar-orders/.test(text));
		await eventually(() => expect(acks()).toHaveLength(payloads.length));
		seen(
			`${Object.keys(ACCEPTING).length} accepted, ${failed().length} dead-lettered after one attempt each, ${payloads.length} PUBACKs`,
		);
	},
	60_000,
);

fault(
	{
		rows: ["F-39", "S-29"],
		injected: "200 at once, and its body 800 ms later; and one whose body never comes, with handlerTimeout: 1.5s",
	},
	"acknowledged only after the answer is complete; without its end it is a failed attempt",
	async ({ seen }) => {
		await using line = await startScriptedLine({
			app: {
				rules: [
					{ payloads: ["slow"], bodySize: 1_000, bodyDelayMs: 800 },
					{ payloads: ["endless"], bodySize: 1_000, bodyDelayMs: 60_000, times: 1 },
				],
			},
			fields: { handlerTimeout: "1.5s", backOffMaxRetries: 1, backOffInterval: "50ms" },
		});
		const connection = await line.subscribed();
		connection.publish("in/a", "slow", { qos: 1, messageId: 1 });
		await eventually(() => expect(line.app.requests()).toHaveLength(1));
		await connection.nothing(600);
		expect(await pubAcks(connection, 1)).toEqual([1]);
		connection.publish("in/a", "endless", { qos: 1, messageId: 2 });
		await connection.nothing(1_200);
		expect(await pubAcks(connection, 1)).toEqual([2]);
		expect(texts(line.app.requests())).toEqual(["slow", "endless", "endless"]);
		expect(line.app.requests()[2]!.headers).toMatchObject({ attempt: "2" });
		await line.sidecar.line(/attempt 1 failed: no answer within handlerTimeout \(1500 ms\)/);
		seen(
			"no PUBACK within 600 ms of the header, PUBACK with the body; the endless one acknowledged for its second attempt",
		);
	},
);

fault(
	{
		rows: ["F-38", "S-29"],
		injected:
			"429 and 503 with Retry-After: 1, ordering: topic, 20 ms between retries, and another message of the topic behind",
	},
	"the wait is honoured, and the one behind waits as well: none of a lane runs beside or before it",
	async ({ seen }) => {
		const waits: number[] = [];
		for (const status of [429, 503]) {
			await using line = await startWatchedLine({
				app: { rules: [{ payloads: ["first"], status, headers: { "retry-after": "1" }, times: 1 }] },
				fields: { backOffMaxRetries: 1, backOffInterval: "20ms", ordering: "topic" },
			});
			await line.device.publishAll(2, (index) => ({ topic: "in/a", payload: index === 0 ? "first" : "second" }));
			await line.app.acceptedAtLeast(2);
			const [one, again, next, ...more] = line.app.requests();
			expect([one, again, next].map((request) => String(request?.payload))).toEqual(["first", "first", "second"]);
			expect(more).toEqual([]);
			waits.push(again!.at - one!.answeredAt!);
			expect(waits.at(-1)).toBeGreaterThan(950);
			expect(next!.at).toBeGreaterThanOrEqual(again!.answeredAt!);
		}
		seen(`second attempts after ${waits.map((ms) => Math.round(ms)).join(" and ")} ms`);
	},
);
