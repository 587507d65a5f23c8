import { describe, expect, test } from "vitest";
import type { ScriptedConnection } from "../../support/scripted-broker.js";
import { startScene } from "./client-under-test.js";
import { pass, withFastTime } from "./fast-time.js";

withFastTime();

const KEEP_ALIVE_MS = 60_000;

function pings({ received }: ScriptedConnection): number {
	return received.filter(({ packet }) => packet.cmd === "pingreq").length;
}

/** The longest time between two packets of the client so far, by the clock of the test. */
function longestSilence({ received }: ScriptedConnection): number {
	return Math.max(...received.slice(1).map(({ at }, index) => at - received[index]!.at));
}

describe("[MQTT-3.1.2-23] PINGREQ", () => {
	test("leaves when nothing else did for one keep-alive, for as long as it is quiet", async () => {
		await using scene = await startScene({ keepAliveMs: KEEP_ALIVE_MS });
		const connection = await scene.subscribed();
		await pass(5 * KEEP_ALIVE_MS + 2_000);
		expect(pings(connection)).toBe(5);
		expect(longestSilence(connection)).toBeLessThan(KEEP_ALIVE_MS + 1_000);
		expect(scene.it.client.state).toBe("online");
	});

	test("does not leave while packets go both ways anyhow", async () => {
		await using scene = await startScene({ keepAliveMs: KEEP_ALIVE_MS, onDelivery: (delivery) => delivery.ack() });
		const connection = await scene.subscribed();
		for (let second = 0; second < 190; second += 10) {
			connection.publish("a/b", "m", { qos: 1, messageId: second + 1 });
			await pass(10_000);
		}
		expect(pings(connection)).toBe(0);
	});

	test("leaves also while the app sits on every message", async () => {
		await using scene = await startScene({ keepAliveMs: KEEP_ALIVE_MS });
		const connection = await scene.subscribed();
		for (let second = 0; second < 130; second += 10) {
			connection.publish("a/b", "unanswered", { qos: 1, messageId: second + 1 });
			await pass(10_000);
		}
		expect(pings(connection)).toBe(2);
		expect(longestSilence(connection)).toBeLessThan(KEEP_ALIVE_MS + 1_000);
	});

	test("is not put off by acknowledgements that cannot leave yet", async () => {
		await using scene = await startScene({ keepAliveMs: KEEP_ALIVE_MS, ackOrder: "strict" });
		const connection = await scene.subscribed();
		connection.publish("a/b", "hangs", { qos: 1, messageId: 1 });
		for (let second = 0; second < 130; second += 10) {
			connection.publish("a/b", "accepted", { qos: 1, messageId: second + 2 });
			(await scene.it.delivered(second / 10 + 2)).ack();
			await pass(10_000);
		}
		expect(pings(connection)).toBe(2);
		expect(longestSilence(connection)).toBeLessThan(KEEP_ALIVE_MS + 1_000);
	});

	test("leaves while reading is paused, whose answer is then not waited for", async () => {
		await using scene = await startScene({ keepAliveMs: KEEP_ALIVE_MS, maxBuffered: 10_000 });
		const connection = await scene.subscribed();
		connection.publish("a/b", Buffer.alloc(20_000), { qos: 1, messageId: 1 });
		const delivery = await scene.it.delivered(1);
		connection.publish("a/b", "behind the cap", { qos: 1, messageId: 2 });
		await pass(3 * KEEP_ALIVE_MS + 2_000);
		expect(pings(connection)).toBe(3);
		expect(scene.it.client.state).toBe("online");
		expect(scene.it.deliveries).toHaveLength(1);
		delivery.ack();
		await scene.it.delivered(2);
	});

	test("leaves too when we send all the time and hear nothing", async () => {
		await using scene = await startScene({ keepAliveMs: KEEP_ALIVE_MS });
		const connection = await scene.subscribed();
		for (let second = 0; second < 70; second += 5) {
			void scene.it.publish("no answer", { qos: 0 });
			await pass(5_000);
		}
		expect(pings(connection)).toBe(1);
	});
});

describe("a broker that is gone without a word", () => {
	test("any byte is life", async () => {
		await using scene = await startScene({ keepAliveMs: KEEP_ALIVE_MS });
		const connection = await scene.subscribed();
		connection.answerPings = false;
		for (let second = 0; second < 180; second += 5) {
			connection.publish("a/b", "x");
			await pass(5_000);
		}
		expect(scene.it.client.state).toBe("online");
	});

	test("a slow link is not a dead one: a socket that keeps taking bytes of ours counts as life", async () => {
		await using scene = await startScene({ keepAliveMs: 20_000 });
		const connection = await scene.subscribed();
		connection.answerPings = false;
		connection.pause();
		const published = scene.it.publish(Buffer.alloc(60 * 1024 * 1024), { timeoutMs: 600_000 });
		for (let second = 0; second < 40; second += 4) {
			await pass(4_000);
			// So that a piece of what waits can leave.
			const target = connection.bytesRead + 3 * 1024 * 1024;
			connection.resume();
			while (connection.bytesRead < target) await new Promise((resolve) => setImmediate(resolve));
			connection.pause();
		}
		expect(connection.received.map(({ packet }) => packet.cmd)).not.toContain("publish");
		expect(scene.it.client.state).toBe("online");
		connection.resume();
		const { messageId } = await connection.expect("publish");
		connection.send({ cmd: "puback", messageId: messageId! });
		expect(await published).toBe("ok");
	});
});
