import { randomBytes } from "node:crypto";
import { expect } from "vitest";
import { startBroker } from "../../../src/broker/broker.js";
import { startScene } from "../../integration/client/client-under-test.js";
import { component, metric, untilReady } from "../../integration/sidecar/component.js";
import type { Line } from "../../integration/sidecar/line.js";
import { startLine } from "../../integration/sidecar/line.js";
import { startApp } from "../../support/app-process.js";
import { eventually } from "../../support/eventually.js";
import { startScriptedBroker } from "../../support/scripted-broker.js";
import { startSidecar } from "../../support/sidecar-process.js";
import { fault } from "../support/fault.js";
import { startWatchedLine } from "../support/watched-line.js";

/** The topic as an app gets it: header bytes are UTF-8, which Node shows as Latin-1. */
function asHeader(topic: string): string {
	return Buffer.from(topic).toString("latin1");
}

/** Publishes and waits for the request that the app gets. */
async function deliver({ app, device }: Line, topic: string, payload: string | Buffer) {
	const count = app.requests().length;
	await device.publish(topic, payload);
	await eventually(() => expect(app.requests()).toHaveLength(count + 1));
	return app.requests().at(-1)!;
}

const PAYLOADS: readonly (readonly [string, Buffer])[] = [
	["no JSON", Buffer.from("plain text")],
	["binary", Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))],
	["empty", Buffer.alloc(0)],
	["only NUL", Buffer.alloc(3)],
	["4 MiB", randomBytes(4 * 2 ** 20)],
];

fault(
	{ rows: ["F-56"], injected: `payloads that are ${PAYLOADS.map(([name]) => name).join(", ")}` },
	"the app gets each byte for byte",
	async ({ seen }) => {
		await using line = await startWatchedLine();
		for (const [name, payload] of PAYLOADS) {
			const request = await deliver(line, "in/payload", payload);
			expect(request.payload.equals(payload), name).toBe(true);
			expect(request.headers["content-length"]).toBe(String(payload.length));
		}
		seen(`${PAYLOADS.length} of ${PAYLOADS.length} equal, with their lengths`);
	},
);

/** Topic, and what the header shows of it. */
const TOPICS: readonly (readonly [string, string])[] = [
	["in/温度/küche", asHeader("in/温度/küche")],
	["in/🔥 🚒", asHeader("in/🔥 🚒")],
	["in/a b/ c", "in/a b/ c"],
	["in/50%/x%2Fy", "in/50%/x%2Fy"],
	["in//x/", "in//x/"],
	["in/blank at the end ", "in/blank at the end"],
	[`in/${"long".repeat(3_000)}`, `in/${"long".repeat(3_000)}`],
];

fault(
	{ rows: ["F-56", "S-33"], injected: "topics of other scripts, emoji, blanks, %, empty levels, and 12,003 bytes" },
	"the header `topic` can be read without loss, or `topic-percent` stands beside it",
	async ({ seen }) => {
		await using line = await startWatchedLine();
		for (const [topic, header] of TOPICS) {
			const { headers } = await deliver(line, topic, "x");
			expect(headers.topic).toBe(header);
			const encoded = headers["topic-percent"];
			if (encoded === undefined) expect(headers.topic).toBe(topic);
			else expect(decodeURIComponent(encoded)).toBe(topic);
		}
		seen(`${TOPICS.length} of ${TOPICS.length} topics recovered exactly`);
	},
);

fault(
	{
		rows: ["F-56", "S-33"],
		injected: "a topic with CR, LF and an escape sequence; and its message is refused for good",
	},
	"it is percent-encoded for the app, makes no header of its own, breaks no line of the log, and does not loop",
	async ({ seen }) => {
		// Mosquitto takes no such topic.
		await using broker = await startBroker();
		await using app = await startApp({ status: 500 });
		const components = component({ url: broker.url, backOffMaxRetries: 0 });
		await using sidecar = await startSidecar({ components, appPort: app.port });
		await untilReady(sidecar);
		const topic = "in/a\r\ndapr-api-token: x\u001b[31m";
		await broker.publish(topic, "x");
		await sidecar.line(/code=held /);
		expect(app.requests()).toHaveLength(1);
		const { headers } = app.requests()[0]!;
		expect(headers).not.toHaveProperty("dapr-api-token");
		expect([headers.topic, headers["topic-percent"]].map((it) => decodeURIComponent(it ?? ""))).toEqual([topic, topic]);
		expect(sidecar.output.filter((line) => !line.startsWith("time="))).toEqual([]);
		expect(sidecar.output.join("\n")).not.toContain("\u001b");
		expect(await metric(sidecar, 'mqtt3_binding_connects_total{component="orders"')).toBe(1);
		seen(`topic: ${headers.topic}; one attempt, held, the connection kept`);
	},
);

fault(
	{ rows: ["F-56", "S-33"], injected: "a topic of 65,535 bytes, which no HTTP header holds" },
	"the app refuses it or gets it whole; it is never acknowledged unaccepted, what follows flows, and it shows",
	async ({ seen }) => {
		await using broker = await startScriptedBroker();
		await using app = await startApp();
		const components = component({ url: broker.url, backOffMaxRetries: 1, backOffInterval: "10ms" });
		await using sidecar = await startSidecar({ components, appPort: app.port });
		const connection = await broker.accept();
		await connection.greet();
		await connection.grant();
		const topic = `in/${"t".repeat(65_532)}`;
		connection.publish(topic, "x", { qos: 1, messageId: 1 });
		connection.publish("in/a", "next", { qos: 1, messageId: 2 });
		await connection.expect("puback", ({ messageId }) => messageId === 2);
		const [, held] = await sidecar.line(/msg="(held [^"]*)"/);
		await connection.nothing(50);
		expect(app.accepted().map(({ payload }) => String(payload))).toEqual(["next"]);
		expect(await metric(sidecar, 'mqtt3_binding_held{component="orders"')).toBe(1);
		seen(`held un-acknowledged (${held}); the message after it accepted and acknowledged`);
	},
);

fault(
	{ rows: ["S-33"], injected: "the filters $share/g/+/x and in/# overlap on one topic; and a topic below $SYS" },
	"each message comes under its own topic, accepted and acknowledged, and none as a stray one",
	async ({ seen }) => {
		await using line = await startWatchedLine({
			fields: { topic: "$share/g/+/x", topics: ["in/#", "$SYS/broker/version"] },
		});
		const { app, device, sidecar } = line;
		await device.publishAll(20, (index) => ({ topic: index % 2 === 0 ? "in/x" : "other/x", payload: String(index) }));
		await eventually(() => {
			const accepted = app.accepted().filter(({ headers }) => headers.topic !== "$SYS/broker/version");
			expect(new Set(accepted.map(({ payload }) => String(payload))).size).toBe(20);
		});
		const topics = app.accepted().map(({ headers, payload }) => [headers.topic, Number(payload) % 2] as const);
		for (const [topic, odd] of topics) {
			if (topic === "$SYS/broker/version") continue;
			expect(topic).toBe(odd === 0 ? "in/x" : "other/x");
		}
		expect(topics.filter(([topic]) => topic === "$SYS/broker/version")).toHaveLength(1);
		expect(await metric(sidecar, 'mqtt3_binding_strays_total{component="orders"')).toBe(0);
		expect((await sidecar.ready()).status).toBe(200);
		seen(`20 messages over 2 topics in ${topics.length - 1} deliveries (in/x matches both filters), and 1 of $SYS`);
	},
);

fault(
	{
		rows: ["F-56"],
		injected: "topics and payloads of `create`: other scripts, CR LF, 65,535 bytes; empty, binary, 2 MB",
	},
	"topic, payload and RETAIN arrive byte for byte at the broker",
	async ({ seen }) => {
		await using scene = await startScene({ subscribes: false });
		const connection = await scene.online();
		const topics = ["温度/🌡", "a b/\r\n", "/", "t".repeat(65_535)];
		const payloads = [
			Buffer.alloc(0),
			Buffer.from([0, 255, 10]),
			Buffer.alloc(16 * 1024 + 1, 7),
			Buffer.alloc(3_000_000, 8).fill(9, 50).subarray(40, 2_000_000),
		];
		for (const topic of topics) {
			for (const payload of payloads) {
				const published = scene.it.publish(payload, { topic, retain: true });
				const publish = await connection.expect("publish", (it) => it.topic === topic && it.retain);
				expect(payload.equals(publish.payload as Buffer)).toBe(true);
				connection.send({ cmd: "puback", messageId: publish.messageId! });
				expect(await published).toBe("ok");
			}
		}
		seen(`${topics.length * payloads.length} publishes equal`);
	},
);

/** The request's `data`, and the payload that comes of it. */
const DATA: readonly (readonly [string, string])[] = [
	['"hi"', '"hi"'],
	["12345678901234567890", "12345678901234567890"],
	["1.10", "1.10"],
	['{"b":12345678901234567890, "a":"<&>"}', '{"b":12345678901234567890, "a":"<&>"}'],
	["[1,null]", "[1,null]"],
	["false", "false"],
	["null", "null"],
];

fault(
	{
		rows: ["S-44"],
		injected: "`data` as a string, big and other numbers, an object with <&>, a list, a boolean, null, and absent",
	},
	"the JSON text is published as it stands, with `encoding` a string's text or bytes; without `data` the payload is empty; bad ones are 400 with the reason",
	async ({ seen }) => {
		await using line = await startLine();
		await line.device.subscribe("out/#", 1);
		const post = async (text: string) => {
			const answer = await line.sidecar.create("orders", text);
			return { status: answer.status, text: await answer.text() };
		};
		const publish = async (request: string) => {
			const count = line.device.messages.length;
			expect(await post(request)).toEqual({ status: 204, text: "" });
			return (await line.device.received(count + 1)).at(-1)!;
		};
		for (const [data, payload] of DATA) {
			const message = await publish(`{"operation":"create","data":${data},"metadata":{"topic":"out/x"}}`);
			expect([message.topic, String(message.payload), message.qos, message.retain]).toEqual([
				"out/x",
				payload,
				1,
				false,
			]);
		}
		expect((await publish('{"operation":"create","metadata":{"topic":"out/x"}}')).payload).toHaveLength(0);
		const encoded = async (data: string, encoding: string) =>
			(await publish(JSON.stringify({ operation: "create", data, metadata: { topic: "out/x", encoding } }))).payload;
		expect(String(await encoded("hi", "utf8"))).toBe("hi");
		expect([...(await encoded("AAH/", "base64"))]).toEqual([0, 1, 255]);
		const bad = [
			'{"operation":"create","data":{,"metadata":{"topic":"out/x"}}',
			'{"operation":"create","data":1,"metadata":{"topic":"out/x","retain":true}}',
			'{"operation":"create","data":1,"metadata":{"topic":"out/x","retain":"perhaps"}}',
			'{"operation":"create","data":"%","metadata":{"topic":"out/x","encoding":"base64"}}',
			"[]",
			"",
		];
		const answers = await Promise.all(bad.map(post));
		expect(answers.map(({ status }) => status)).toEqual(bad.map(() => 400));
		for (const { text } of answers) expect(JSON.parse(text)).toMatchObject({ message: expect.stringMatching(/.{20}/) });
		seen(`${DATA.length + 3} payloads as documented; ${bad.length} bad requests 400, such as ${answers[1]!.text}`);
	},
);
