import { expect } from "vitest";
import { dial } from "../../../src/mqtt/connection.js";
import { cleared, startScene } from "../../integration/client/client-under-test.js";
import { eventually } from "../../support/eventually.js";
import { fault } from "../support/fault.js";
import { startScriptedLine } from "../support/scripted-line.js";

const QUIET = { subscribes: false };

fault(
	{
		rows: ["F-22", "S-15"],
		injected:
			"three publishes at once, the second acknowledged, then a reset; a fourth call while nothing is connected",
	},
	"[MQTT-4.4.0-1] [MQTT-4.6.0-1] [MQTT-3.3.1-1] [MQTT-2.3.1-3] un-acknowledged publishes go first on the resumed session, with their identifiers, DUP, in their first order",
	async ({ seen }) => {
		await using scene = await startScene(QUIET);
		const first = await scene.online();
		const results = ["one", "two", "three"].map((payload) => scene.it.publish(payload));
		const ids: number[] = [];
		for (let count = 0; count < 3; count++) ids.push((await first.expect("publish")).messageId!);
		first.send({ cmd: "puback", messageId: ids[1]! });
		expect(await results[1]).toBe("ok");
		first.reset();
		await eventually(() => expect(scene.it.client.state).not.toBe("online"));
		results.push(scene.it.publish("four"));
		const second = await scene.online({ sessionPresent: true });
		for (const [text, id] of [
			["one", ids[0]],
			["three", ids[2]],
		] as const) {
			await second.expect("publish", (it) => String(it.payload) === text && it.messageId === id && it.dup);
			second.send({ cmd: "puback", messageId: id! });
		}
		const four = await second.expect("publish", (it) => String(it.payload) === "four" && !it.dup);
		second.send({ cmd: "puback", messageId: four.messageId! });
		expect(await Promise.all(results)).toEqual(["ok", "ok", "ok", "ok"]);
		await second.nothing(20);
		seen("one and three again with DUP and their identifiers, then four without; each call succeeded once");
	},
);

fault(
	{
		rows: ["F-24", "S-45"],
		injected:
			"a PUBACK twice, one of an identifier never used, and on the next connection one of the connection before",
	},
	"a PUBACK that nothing waits for completes no call",
	async ({ seen }) => {
		await using scene = await startScene(QUIET);
		const first = await scene.online();
		const one = scene.it.publish("one");
		const { messageId } = await first.expect("publish");
		first.send({ cmd: "puback", messageId: messageId! }, { cmd: "puback", messageId: messageId! });
		expect(await one).toBe("ok");
		let isSettled = false;
		const two = scene.it.publish("two").then((result) => {
			isSettled = true;
			return result;
		});
		const old = (await first.expect("publish")).messageId!;
		first.send({ cmd: "puback", messageId: messageId! }, { cmd: "puback", messageId: 60_000 });
		await first.nothing(20);
		first.close();
		const second = await scene.online({ sessionPresent: false });
		const again = (await second.expect("publish", ({ payload }) => String(payload) === "two")).messageId!;
		expect(again).not.toBe(old);
		second.send({ cmd: "puback", messageId: old });
		await second.nothing(20);
		expect(isSettled).toBe(false);
		second.send({ cmd: "puback", messageId: again });
		expect(await two).toBe("ok");
		const { unexpectedAnswers } = scene.it.client.status();
		expect(unexpectedAnswers).toBe(4);
		seen(`each call completed by its own PUBACK alone; ${unexpectedAnswers} others counted; the connection was kept`);
	},
);

fault(
	{ rows: ["F-25", "S-45"], injected: "PUBREC for a QoS 1 publish" },
	"PUBREC for a QoS 1 publish closes the connection with the clause, and the publish is sent again",
	async ({ seen }) => {
		await using scene = await startScene({ subscribes: false });
		const first = await scene.online();
		const published = scene.it.publish("m");
		const { messageId } = await first.expect("publish");
		first.send({ cmd: "pubrec", messageId: messageId! });
		await first.closed;
		expect((await scene.it.reported("disconnected")).message).toContain("[MQTT-4.3.2-1]");
		const second = await scene.online({ sessionPresent: true });
		await second.expect("publish", (it) => it.messageId === messageId && it.dup);
		second.send({ cmd: "puback", messageId: messageId! });
		expect(await published).toBe("ok");
		seen("closed with [MQTT-4.3.2-1], sent again with DUP, success on its PUBACK");
	},
);

fault(
	{ rows: ["F-25", "S-45"], injected: "PUBACK for a QoS 2 publish" },
	"PUBACK for a QoS 2 publish closes the connection with the clause, and the publish is sent again",
	async ({ seen }) => {
		await using scene = await startScene({ subscribes: false });
		const first = await scene.online();
		const published = scene.it.publish("m", { qos: 2 });
		await cleared(first);
		await first.expect("publish");
		first.send({ cmd: "puback", messageId: 1 });
		await first.closed;
		expect((await scene.it.reported("disconnected")).message).toContain("[MQTT-4.3.3-1]");
		const second = await scene.online({ sessionPresent: true });
		await second.expect("publish", ({ dup }) => dup);
		second.send({ cmd: "pubrec", messageId: 1 });
		await cleared(second);
		expect(await published).toBe("ok");
		seen("closed with [MQTT-4.3.3-1], sent again with DUP, success on PUBCOMP");
	},
);

fault(
	{ rows: ["S-45"], injected: "PUBREC and PUBCOMP of identifiers that nothing waits for" },
	"PUBREC and PUBCOMP that nothing waits for are ignored",
	async ({ seen }) => {
		await using scene = await startScene({ subscribes: false });
		const connection = await scene.online();
		connection.send(
			{ cmd: "pubrec", messageId: 1 },
			{ cmd: "pubcomp", messageId: 1 },
			{ cmd: "pubrec", messageId: 99 },
		);
		await connection.nothing(30);
		await eventually(() => expect(scene.it.client.state).toBe("online"));
		seen("the connection was kept");
	},
);

fault(
	{ rows: ["F-25"], injected: "a PUBACK with flags 0001, then one of length 3, for a publish that waits" },
	"[MQTT-4.8.0-1] an ill-formed PUBACK closes the connection and completes nothing",
	async ({ seen }) => {
		await using scene = await startScene(QUIET);
		let isSettled = false;
		const published = scene.it.publish("m").finally(() => {
			isSettled = true;
		});
		let id = 0;
		for (const [round, bytes] of [
			[0x41, 2],
			[0x40, 3],
		].entries()) {
			const connection = await scene.online({ sessionPresent: round > 0 });
			const { messageId } = await connection.expect("publish", ({ dup }) => dup === round > 0);
			id = messageId!;
			connection.sendRaw([...bytes, id >> 8, id & 0xff, ...(bytes[1] === 3 ? [0] : [])]);
			await connection.closed;
			const { error } = await scene.it.reported("disconnected", round + 1);
			expect(error).toMatchObject({ reason: "protocol" });
			expect(isSettled).toBe(false);
		}
		const last = await scene.online({ sessionPresent: true });
		await last.expect("publish", ({ messageId, dup }) => messageId === id && dup);
		last.send({ cmd: "puback", messageId: id });
		expect(await published).toBe("ok");
		seen("two connections closed as protocol violations, success on the third, by a PUBACK that is one");
	},
);

fault(
	{ rows: ["F-26", "S-45"], injected: "1,000 publishes at once, their PUBACKs shuffled" },
	"each of 1,000 publishes completes with its own PUBACK, however these are shuffled",
	async ({ seen }) => {
		await using scene = await startScene(QUIET);
		const connection = await scene.online();
		const settled: number[] = [];
		for (let index = 0; index < 1_000; index++) {
			void scene.it.publish(String(index)).then((result) => result === "ok" && settled.push(index));
		}
		const ids = new Map<number, number>();
		for (let count = 0; count < 1_000; count++) {
			const { messageId, payload } = await connection.expect("publish");
			ids.set(Number(String(payload)), messageId!);
		}
		// 617 and 1,000 have no common factor: every index comes once.
		const order = Array.from({ length: 1_000 }, (_, index) => (index * 617 + 13) % 1_000);
		connection.send(...order.map((index) => ({ cmd: "puback" as const, messageId: ids.get(index)! })));
		await eventually(() => expect(settled).toEqual(order));
		seen("1,000 calls completed in the order of their PUBACKs");
	},
);

fault(
	{ rows: ["F-27"], injected: "the answer to each PUBLISH is read before the call that writes it returns" },
	"a PUBACK before the end of the write completes its publish once",
	async ({ seen }) => {
		let hand: ((chunk: Buffer) => void) | undefined;
		await using scene = await startScene({
			...QUIET,
			dial: async (url, options, listener, signal) => {
				const connection = await dial(url, options, listener, signal);
				hand = (chunk) => listener.data(chunk);
				const write = connection.write.bind(connection);
				connection.write = (bytes) => {
					const takesMore = write(bytes);
					// PUBLISH a/out at QoS 1: the identifier stands behind the topic.
					if (bytes[0] === 0x32) hand?.(Buffer.of(0x40, 2, bytes[9]!, bytes[10]!));
					return takesMore;
				};
				return connection;
			},
		});
		const connection = await scene.online();
		for (let count = 0; count < 100; count++) {
			expect(await scene.it.publish("m")).toBe("ok");
			const { messageId } = await connection.expect("publish");
			connection.send({ cmd: "puback", messageId: messageId! });
		}
		await connection.nothing(20);
		expect(scene.it.client.status().pending).toBe(0);
		expect(scene.it.client.state).toBe("online");
		seen("100 calls succeeded once each; the second PUBACK of each was ignored");
	},
);

fault(
	{
		rows: ["F-24"],
		injected:
			"a PUBACK of an identifier never used, to the sidecar; then to the connection that receives, of two (splitConnections)",
	},
	"it is ignored, said, and counted, on whichever connection it comes",
	async ({ seen }) => {
		const counts: number[] = [];
		for (const splitConnections of [false, true]) {
			await using line = await startScriptedLine({ fields: { splitConnections } });
			const connections = splitConnections ? 2 : 1;
			for (let n = 0; n < connections; n++) {
				const connection = await line.broker.accept(20_000);
				const { clientId } = await connection.greet();
				if (clientId !== "sidecar-orders-producer") connection.send({ cmd: "puback", messageId: 60_000 });
			}
			const total = async () => {
				const found = (await line.sidecar.metrics()).matchAll(/^mqtt3_binding_unexpected_answers_total\{.*\} (\d+)$/gm);
				return [...found].reduce((sum, [, value]) => sum + Number(value), 0);
			};
			await eventually(async () => expect(await total()).toBe(1));
			await line.sidecar.line(/msg="1 answers of the broker.*code=unexpected-answer/);
			counts.push(await total());
		}
		seen(`${counts.join(" and ")} in the metrics, and in the log`);
	},
);
