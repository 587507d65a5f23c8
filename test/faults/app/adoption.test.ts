import { expect } from "vitest";
import { metric } from "../../integration/sidecar/component.js";
import { texts } from "../../integration/sidecar/line.js";
import { eventually } from "../../support/eventually.js";
import { fault } from "../support/fault.js";
import { pubAcks, startScriptedLine } from "../support/scripted-line.js";

const SLOW = { rules: [{ pattern: "^slow", delayMs: 1_500 }] };
const ONE = 'component="orders"';

fault(
	{
		rows: ["S-2"],
		injected:
			"the connection is lost while the app works; the session is resumed, and the broker gives the identifier to another message before the app answers 200",
	},
	"the old success acknowledges nothing; the other message is acknowledged after its own success alone",
	async ({ seen }) => {
		await using line = await startScriptedLine({
			app: { rules: [...SLOW.rules, { pattern: "^other", delayMs: 2_500 }] },
		});
		const first = await line.subscribed();
		first.publish("in/a", "slow", { qos: 1, messageId: 7 });
		await eventually(() => expect(line.app.requests()).toHaveLength(1));
		first.reset();
		const second = await line.subscribed({ sessionPresent: true });
		second.publish("in/a", "other", { qos: 1, messageId: 7 });
		await line.app.acceptedAtLeast(1);
		expect(texts(line.app.accepted())).toEqual(["slow"]);
		await second.nothing(200);
		expect(await pubAcks(second, 1)).toEqual([7]);
		expect(texts(line.app.accepted())).toEqual(["slow", "other"]);
		await second.nothing(50);
		seen("no PUBACK after the answer to the old message; PUBACK 7 after the other's own");
	},
);

fault(
	{
		rows: ["S-3", "S-53"],
		injected:
			"the connection is reset with five messages at the app and others parsed behind them; the broker sends all of them again, with DUP, while the handlers run",
	},
	"the app is called once for each; its success acknowledges the new delivery, in order",
	async ({ seen }) => {
		await using line = await startScriptedLine({ app: SLOW, fields: { maxInFlight: 5 } });
		const send = (connection: Awaited<ReturnType<typeof line.subscribed>>, dup: boolean) => {
			for (let id = 1; id <= 12; id++) connection.publish("in/a", `slow ${id}`, { qos: 1, messageId: id, dup });
		};
		const first = await line.subscribed();
		send(first, false);
		await eventually(() => expect(line.app.requests()).toHaveLength(5));
		// Seven are read and not yet at the app.
		await eventually(async () => expect(await metric(line.sidecar, `mqtt3_binding_waiting{${ONE}`)).toBe(7));
		first.reset();
		const second = await line.subscribed({ sessionPresent: true });
		send(second, true);
		expect(await pubAcks(second, 12)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
		expect(line.app.requests()).toHaveLength(12);
		expect(new Set(texts(line.app.accepted())).size).toBe(12);
		const adopted = await metric(line.sidecar, `mqtt3_binding_adopted_total{${ONE}`);
		expect(adopted).toBeGreaterThanOrEqual(5);
		seen(`12 messages, 12 calls, ${adopted} taken over by their redelivery, PUBACKs in order on the new connection`);
	},
);

fault(
	{
		rows: ["S-4", "S-2"],
		injected:
			"the session is lost while a handler runs, and a new message comes with its identifier; then one equal to it in all but DUP",
	},
	"it is a new message: delivered and acknowledged for its own success; the old result sends nothing",
	async ({ seen }) => {
		await using line = await startScriptedLine({ app: SLOW });
		const first = await line.subscribed();
		first.publish("in/a", "slow", { qos: 1, messageId: 7 });
		await eventually(() => expect(line.app.requests()).toHaveLength(1));
		first.reset();
		const second = await line.subscribed({ sessionPresent: false });
		second.publish("in/a", "new", { qos: 1, messageId: 7 });
		expect(await pubAcks(second, 1)).toEqual([7]);
		expect(texts(line.app.accepted())).toContain("new");
		second.publish("in/a", "slow", { qos: 1, messageId: 8 });
		await eventually(() => expect(texts(line.app.requests())).toEqual(["slow", "new", "slow"]));
		expect(await pubAcks(second, 1)).toEqual([8]);
		expect(texts(line.app.accepted()).filter((text) => text === "slow")).toHaveLength(2);
		await second.nothing(50);
		expect(await metric(line.sidecar, `mqtt3_binding_stale_acknowledgements_total{${ONE}`)).toBe(1);
		seen(
			"1 stale acknowledgement counted; PUBACK 7 for the new message, PUBACK 8 for the equal one after a call of its own; none for the old",
		);
	},
);

fault(
	{
		rows: ["S-54"],
		injected:
			"the app accepts exactly while the broker has closed its direction, and its PUBACK is written into the socket",
	},
	"it counts as un-acknowledged: the redelivery is acknowledged on the next connection, without a call or with one more",
	async ({ seen }) => {
		await using line = await startScriptedLine({ app: { rules: [{ pattern: "^m", delayMs: 200 }] } });
		let calls = 0;
		// A third FIN within a minute would be another client's doing.
		for (const [index, afterMs] of [150, 250].entries()) {
			const round = index + 1;
			const payload = `m ${round}`;
			const connection = await line.subscribed({ sessionPresent: round > 1 });
			connection.publish("in/a", payload, { qos: 1, messageId: 1 });
			await eventually(() => expect(texts(line.app.requests())).toContain(payload));
			// Shortly before the answer, and shortly after it.
			await new Promise((resolve) => setTimeout(resolve, afterMs));
			connection.halfClose();
			await connection.closed;
			const next = await line.subscribed({ sessionPresent: true });
			next.publish("in/a", payload, { qos: 1, messageId: 1, dup: true });
			expect(await pubAcks(next, 1)).toEqual([1]);
			const own = texts(line.app.requests()).filter((text) => text === payload).length;
			expect(own).toBeLessThanOrEqual(2);
			calls += own;
			next.reset();
		}
		seen(`2 messages, each acknowledged on the connection after; ${calls} calls`);
	},
	60_000,
);

fault(
	{
		rows: ["F-89"],
		injected: "an app that refuses, retries every 700 ms, and a link that is reset every 300 ms",
		scale: "700 ms and 3 retries",
	},
	"attempts survive by adoption: one retry loop a message, four attempts, then its dead letter, once",
	async ({ seen }) => {
		await using line = await startScriptedLine({
			app: { status: 500 },
			fields: { backOffMaxRetries: 3, backOffInterval: "700ms", deadLetterTopic: "dead" },
		});
		const dead: string[] = [];
		let connections = 0;
		let isDone = false;
		for (let round = 0; !isDone && round < 60; round++) {
			const connection = await line.subscribed({ sessionPresent: round > 0 });
			connections++;
			connection.publish("in/a", "m", { qos: 1, messageId: 4, dup: round > 0 });
			const end = performance.now() + 300;
			while (performance.now() < end) {
				const packet = connection.received.find(({ packet: { cmd } }) => cmd === "publish")?.packet;
				if (packet?.cmd === "publish") {
					dead.push(String(packet.payload));
					connection.send({ cmd: "puback", messageId: packet.messageId! });
					await eventually(() => expect(connection.received.map((one) => one.packet.cmd)).toContain("puback"));
					isDone = true;
					break;
				}
				await new Promise((resolve) => setTimeout(resolve, 10));
			}
			if (!isDone) connection.reset();
		}
		expect(isDone).toBe(true);
		expect(dead).toHaveLength(1);
		expect(JSON.parse(dead[0]!)).toMatchObject({ topic: "in/a", attempts: 4 });
		expect(line.app.requests()).toHaveLength(4);
		expect(line.app.requests().map(({ headers }) => headers.attempt)).toEqual([undefined, "2", "3", "4"]);
		expect(connections).toBeGreaterThan(2);
		expect(await metric(line.sidecar, `mqtt3_binding_dead_lettered_total{${ONE}`)).toBe(1);
		seen(`${connections} connections, 4 attempts, 1 dead letter`);
	},
	60_000,
);
