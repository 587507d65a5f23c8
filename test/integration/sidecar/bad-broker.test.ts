import { describe, expect, onTestFinished, test } from "vitest";
import { startApp } from "../../support/app-process.js";
import { eventually } from "../../support/eventually.js";
import { packetCorpus } from "../../support/packet-corpus.js";
import { type ScriptedBroker, startScriptedBroker } from "../../support/scripted-broker.js";
import { startSidecar } from "../../support/sidecar-process.js";
import { component, logged, untilReady, untilReason } from "./component.js";
import { texts } from "./line.js";

/** One of each packet type and clause. */
const MALFORMED = [
	...new Map(
		packetCorpus
			.filter(({ from, clause }) => from === "server" && clause !== undefined)
			.map((one) => [`${one.bytes[0]! >> 4} ${one.clause}`, one]),
	).values(),
];

async function startScripted(): Promise<ScriptedBroker> {
	const broker = await startScriptedBroker();
	onTestFinished(() => broker[Symbol.asyncDispose]());
	return broker;
}

describe("a broker that breaks the protocol", () => {
	test(`F-53: ${MALFORMED.length} malformed packets: each ends its connection, the log names the clause, the next connection is fine`, async () => {
		await using app = await startApp({ end: "hang" });
		const brokers = await Promise.all(MALFORMED.map(startScripted));
		const components = brokers.map(({ url }, index) => component({ name: `case-${index}`, url, route: "/events" }));
		await using sidecar = await startSidecar({ components: components.join(""), appPort: app.port });
		await Promise.all(
			MALFORMED.map(async ({ name, bytes, clause }, index) => {
				const connection = await brokers[index]!.accept(15_000);
				await connection.greet();
				await connection.grant();
				connection.publish("in/a", "unanswered", { qos: 1, messageId: 9 });
				connection.sendRaw(bytes);
				await connection.closed;
				expect(
					connection.received.map(({ packet }) => packet.cmd),
					name,
				).toEqual(["connect", "subscribe"]);
				const lines = () =>
					logged(sidecar, "disconnected").filter((line) => line.includes(` component=case-${index} `));
				await eventually(() => expect(lines(), name).toHaveLength(1));
				expect(lines()[0], name).toMatch(
					/^time=\S+ level=warning msg="tcp:\/\/127\.0\.0\.1:\d+: the broker violated the protocol: /,
				);
				expect(lines()[0], name).toContain(`[${clause}]; next attempt in `);
				const next = await brokers[index]!.accept(15_000);
				await next.greet({ sessionPresent: true });
				await next.grant();
			}),
		);
		await untilReady(sidecar);
	}, 60_000);

	test("F-16, F-48: what is no MQTT at all is named as what it is", async () => {
		const cases: readonly (readonly [bytes: string, cause: RegExp])[] = [
			["HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", /violated the protocol: .*\[[-.\w]+\]/],
			["SSH-2.0-OpenSSH_9.2\r\n", /violated the protocol: .*\[[-.\w]+\]/],
			["\u0015\u0003\u0003\u0000\u0002\u0002\u0016", /violated the protocol: .*\[[-.\w]+\]/],
			["\u0030\u0004\u0000\u0001ax", /violated the protocol: publish packet before CONNACK \[MQTT-3\.2\.0-1\]/],
			["\u0020\u0002\u0001\u0005", /violated the protocol: .*\[MQTT-3\.2\.2-4\]/],
		];
		const brokers = await Promise.all(cases.map(startScripted));
		const components = brokers.map(({ url }, index) => component({ name: `case-${index}`, url }));
		await using sidecar = await startSidecar({ components: components.join("") });
		await Promise.all(
			cases.map(async ([bytes, cause], index) => {
				const connection = await brokers[index]!.accept();
				await connection.expect("connect");
				connection.sendRaw(Buffer.from(bytes, "latin1"));
				await connection.closed;
				const line = await sidecar.line(new RegExp(`code=connect-failed component=case-${index} `));
				expect(line.input).toMatch(cause);
			}),
		);
		expect(sidecar.running).toBe(true);
	});

	test("F-07: reset while the app works: the redeliveries take over what runs, and the app is asked once", async () => {
		await using broker = await startScriptedBroker();
		await using app = await startApp({ delayMs: [3_000, 4_000] });
		await using sidecar = await startSidecar({ components: component({ url: broker.url }), appPort: app.port });
		await sidecar.line(/code=app-reachable /);
		const ids = Array.from({ length: 20 }, (_, index) => index + 1);
		const first = await broker.accept();
		await first.greet();
		await first.grant();
		for (const id of ids) first.publish("in/a", `${id}`, { qos: 1, messageId: id });
		await eventually(() => expect(app.requests()).toHaveLength(20));
		first.reset();
		const second = await broker.accept();
		await second.greet({ sessionPresent: true });
		await second.grant();
		for (const id of ids) second.publish("in/a", `${id}`, { qos: 1, messageId: id, dup: true });
		for (const id of ids) {
			await second.expect("puback", ({ messageId }) => expect(messageId).toBe(id));
			expect(texts(app.accepted())).toContain(`${id}`);
		}
		expect(app.requests()).toHaveLength(20);
	});

	test("I11: one that closes every connection at once is tried with growing delays, and the log stays readable", async () => {
		await using broker = await startScriptedBroker();
		await using sidecar = await startSidecar({ components: component({ url: broker.url }) });
		const arrivals: number[] = [];
		for (let attempt = 0; attempt < 5; attempt++) {
			(await broker.accept(6_000)).close();
			arrivals.push(performance.now());
		}
		// Each step twice the one before, drawn between a quarter of it and the whole.
		for (const [index, stepMs] of [250, 500, 1_000, 2_000].entries()) {
			expect(arrivals[index + 1]! - arrivals[index]!).toBeGreaterThan(stepMs / 4 - 20);
		}
		await eventually(() => expect(logged(sidecar, "connect-failed").length).toBeGreaterThan(2));
		expect(logged(sidecar, "connect-failed").length).toBeLessThanOrEqual(5);
		const { message } = await untilReason(sidecar, "not-connected");
		expect(message).toMatch(/the broker closed it/);
	}, 30_000);

	test("F-13: no CONNACK within connectTimeout ends the attempt, and the next one works", async () => {
		await using broker = await startScriptedBroker();
		const components = component({ url: broker.url, connectTimeout: "300ms" });
		await using sidecar = await startSidecar({ components });
		const silent = await broker.accept();
		await silent.expect("connect");
		await silent.closed;
		expect((await untilReason(sidecar, "not-connected")).message).toMatch(/no CONNACK within 300 ms/);
		await (await broker.accept()).greet();
		await untilReady(sidecar);
	});

	test("F-14: the broker refuses for good and leaves the connection open: we close it, and wait", async () => {
		await using broker = await startScriptedBroker();
		await using sidecar = await startSidecar({
			components: component({ url: broker.url, username: "canary-user", password: "canary-password" }),
		});
		const connection = await broker.accept();
		await connection.greet({ returnCode: 4 });
		await connection.closed;
		const { message, blocking } = await untilReason(sidecar, "not-connected");
		expect([message, blocking]).toEqual([expect.stringMatching(/bad user name or password \(return code 4\)/), true]);
		await broker.nobody(2_000);
		expect(sidecar.output.join("\n")).not.toContain("canary");
	});

	test("F-10, F-54: a subscription that is refused: not ready, with the reason; create works", async () => {
		await using broker = await startScriptedBroker();
		await using app = await startApp();
		await using sidecar = await startSidecar({ components: component({ url: broker.url }), appPort: app.port });
		const connection = await broker.accept();
		await connection.greet();
		await connection.grant([0x80]);
		expect(await untilReason(sidecar, "subscription-refused")).toMatchObject({
			message: 'the broker refused the subscription to "in/#"',
			blocking: true,
			component: "orders",
		});
		const create = sidecar.create("orders", { operation: "create", data: 1, metadata: { topic: "out/x" } });
		const { messageId } = await connection.expect("publish");
		connection.send({ cmd: "puback", messageId: messageId! });
		expect((await create).status).toBe(204);
	});
});
