import { describe, expect, test } from "vitest";
import { eventually } from "../../support/eventually.js";
import { startScene } from "./client-under-test.js";
import { pass, withFastTime } from "./fast-time.js";

withFastTime();

const HOUR_MS = 60 * 60 * 1_000;

describe("SUBSCRIBE", () => {
	test("[MQTT-2.3.1-1] waits until somebody reads, and then leaves at once, with an identifier and all filters", async () => {
		await using scene = await startScene({
			subscribes: false,
			subscriptions: [
				{ filter: "a/#", qos: 1 },
				{ filter: "$share/g/b/+", qos: 2 },
			],
		});
		const connection = await scene.online();
		await connection.nothing(30);
		scene.it.client.subscribe();
		scene.it.client.subscribe();
		const subscribe = await connection.grant();
		expect(subscribe.messageId).toBeGreaterThan(0);
		expect(subscribe.subscriptions).toMatchObject([
			{ topic: "a/#", qos: 1 },
			{ topic: "$share/g/b/+", qos: 2 },
		]);
		expect((await scene.it.reported("subscribed")).message).toContain("a/#, $share/g/b/+");
		expect(scene.it.client.status()).toMatchObject({ subscribing: true, subscribed: true, problems: [] });
		await connection.nothing(30);
	});

	test("a client without subscriptions sends none", async () => {
		await using scene = await startScene({ subscriptions: [], listens: false });
		await (await scene.online()).nothing(30);
	});

	test("[MQTT-3.8.3-3] F-93: it follows every CONNACK of the first hour at once, whether or not the session is there", async () => {
		await using scene = await startScene();
		for (const sessionPresent of [false, true, false, true, true]) {
			const connection = await scene.subscribed({ sessionPresent });
			const [connect, subscribe] = connection.received;
			expect(subscribe!.at - connect!.at).toBeLessThan(900);
			await pass(14 * 60_000);
			connection.close();
		}
		await scene.subscribed({ sessionPresent: true });
	});

	test("it is left out once the same session has had it for more than an hour, and comes again when the session is lost", async () => {
		await using scene = await startScene();
		const first = await scene.subscribed();
		await pass(HOUR_MS + 5_000);
		first.close();
		const second = await scene.online({ sessionPresent: true });
		await second.nothing(50);
		expect(scene.it.client.status()).toMatchObject({ subscribed: true });
		second.close();
		const third = await scene.subscribed({ sessionPresent: false });
		await eventually(() => expect(scene.it.reports.filter(({ code }) => code === "subscribed")).toHaveLength(2));
		third.close();
		await scene.subscribed({ sessionPresent: true });
	});

	test("F-83: after a CONNECT whose CONNACK was not read it comes again, however long the session was there", async () => {
		await using scene = await startScene();
		const first = await scene.subscribed();
		await pass(HOUR_MS + 5_000);
		first.close();
		const second = await scene.broker.accept();
		await second.expect("connect");
		second.close();
		await scene.subscribed({ sessionPresent: true });
	});
});

describe("F-54: a SUBACK that is not as asked", () => {
	test("refused: not subscribed, said so, and only the refused filter is asked for again, slowly, until it is granted", async () => {
		await using scene = await startScene({
			subscriptions: [
				{ filter: "a/#", qos: 1 },
				{ filter: "b/#", qos: 1 },
			],
		});
		const connection = await scene.online();
		await connection.grant([1, 0x80]);
		const refused = await scene.it.reported("subscription-refused");
		expect(refused).toMatchObject({ level: "error", message: 'the broker refused the subscription to "b/#"' });
		const problem = { filter: "b/#", granted: 0x80, asked: 1, blocking: true };
		expect(scene.it.client.status().problems).toEqual([problem]);
		await pass(2_400);
		await connection.nothing(0);
		await pass(8_600);
		expect((await connection.grant([0x80])).subscriptions).toMatchObject([{ topic: "b/#" }]);
		await pass(4_900);
		await connection.nothing(0);
		await pass(16_100);
		await connection.grant([1]);
		await eventually(() => expect(scene.it.client.status().problems).toEqual([]));
		await scene.it.reported("subscribed");
		await pass(60_000);
		await connection.nothing(0);
	});

	test("granted 0 where 1 was asked: no guarantee, so it counts as refused; granted 1 where 2 was asked only warns", async () => {
		await using scene = await startScene({
			subscriptions: [
				{ filter: "a/#", qos: 1 },
				{ filter: "b/#", qos: 2 },
			],
		});
		const connection = await scene.online();
		await connection.grant([0, 1]);
		await eventually(() =>
			expect(scene.it.reports.filter(({ code }) => code === "subscription-downgraded")).toHaveLength(2),
		);
		expect(scene.it.reports.slice(-2)).toMatchObject([
			{ level: "error", message: expect.stringContaining("without a guarantee") },
			{ level: "warn", message: 'the broker granted QoS 1 for "b/#" where QoS 2 was asked' },
		]);
		expect(scene.it.client.status().problems.map(({ blocking }) => blocking)).toEqual([true, false]);
		await pass(11_000);
		expect((await connection.grant([1])).subscriptions).toMatchObject([{ topic: "a/#" }]);
		await eventually(() => expect(scene.it.client.status().problems.map(({ blocking }) => blocking)).toEqual([false]));
	});

	test.each<[string, string, (messageId: number) => number[]]>([
		["another identifier", "MQTT-3.8.4-2", (id) => [0x90, 3, (id + 1) >> 8, (id + 1) & 0xff, 1]],
		["two return codes for one filter", "MQTT-3.8.4-5", (id) => [0x90, 4, id >> 8, id & 0xff, 1, 1]],
		["no return code", "MQTT-3.8.4-5", (id) => [0x90, 2, id >> 8, id & 0xff]],
		["return code 3", "MQTT-3.9.3-2", (id) => [0x90, 3, id >> 8, id & 0xff, 3]],
		["more than was asked for", "MQTT-3.8.4-6", (id) => [0x90, 3, id >> 8, id & 0xff, 2]],
	])("[MQTT-4.8.0-1] a SUBACK with %s closes the connection", async (_, clause, bytes) => {
		await using scene = await startScene();
		const connection = await scene.online();
		const { messageId } = await connection.expect("subscribe");
		connection.sendRaw(bytes(messageId! < 65_535 ? messageId! : 1));
		await connection.closed;
		const { error } = await scene.it.reported("disconnected");
		expect(error).toMatchObject({ reason: "protocol", cause: { clause } });
		await scene.subscribed();
	});

	test("[MQTT-4.8.0-1] a SUBACK, and an UNSUBACK, that nothing asked for close the connection", async () => {
		await using scene = await startScene();
		const first = await scene.subscribed();
		first.sendRaw([0x90, 3, 0, 1, 1]);
		await first.closed;
		expect((await scene.it.reported("disconnected")).message).toContain("[MQTT-3.8.4-2]");
		const second = await scene.subscribed();
		second.sendRaw([0xb0, 2, 0, 1]);
		await second.closed;
		await eventually(() => expect(scene.it.reports.at(-1)?.message).toContain("[MQTT-4.8.0-1]"));
		await scene.subscribed();
	});
});

describe("F-54: a SUBACK that never comes", () => {
	test("after 10 s the broker is asked for a sign of life, 10 s after that sign the connection is closed", async () => {
		await using scene = await startScene({ keepAliveMs: 600_000 });
		const connection = await scene.online();
		connection.answerPings = false;
		await connection.expect("subscribe");
		await pass(9_400);
		await connection.nothing(0);
		await pass(1_600);
		await connection.expect("pingreq");
		connection.send({ cmd: "pingresp" });
		await pass(9_000);
		expect(scene.it.client.state).toBe("online");
		await pass(3_000);
		await connection.closed;
		const { error } = await scene.it.reported("disconnected");
		expect(error).toMatchObject({ reason: "protocol", message: expect.stringContaining("no SUBACK") });
		await scene.subscribed();
	});

	test("one that comes late, but before that, is as good as any", async () => {
		await using scene = await startScene({ keepAliveMs: 600_000 });
		const connection = await scene.online();
		const { messageId } = await connection.expect("subscribe");
		await pass(18_000);
		connection.send({ cmd: "suback", messageId: messageId!, granted: [1] });
		await scene.it.reported("subscribed");
		await pass(60_000);
		await connection.nothing(0);
		expect(scene.it.client.state).toBe("online");
	});
});
