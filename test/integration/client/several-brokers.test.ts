import { describe, expect, test } from "vitest";
import { eventually } from "../../support/eventually.js";
import { startScriptedBroker } from "../../support/scripted-broker.js";
import { ClientUnderTest, delayOf } from "./client-under-test.js";
import { pass, withFastTime } from "./fast-time.js";

withFastTime();

async function twoBrokers() {
	const brokers = [await startScriptedBroker(), await startScriptedBroker()] as const;
	const it = new ClientUnderTest(brokers.map(({ url }) => url).join(","), { publishTimeoutMs: 600_000 });
	it.client.subscribe();
	it.client.connect().catch(() => {});
	/** Refuses the next three attempts at the first broker, as after a loss. */
	const refuseThree = async (from: number) => {
		await pass(delayOf(await it.reported("disconnected")) + 1);
		for (let attempt = 0; attempt < 3; attempt++) {
			const connection = await brokers[0].accept();
			connection.close();
			await pass(delayOf(await it.reported("connect-failed", from + attempt + 1)) + 1);
		}
	};
	return {
		brokers,
		it,
		refuseThree,
		[Symbol.asyncDispose]: async () => {
			await it[Symbol.asyncDispose]();
			for (const broker of brokers) await broker[Symbol.asyncDispose]();
		},
	};
}

describe("several brokers", () => {
	test("F-88: what one broker has sent is not acknowledged at the other, though that one sends the same under the same identifier", async () => {
		await using scene = await twoBrokers();
		const { brokers, it } = scene;
		const first = await brokers[0].accept();
		await first.greet();
		await first.grant();
		first.publish("a/b", "m", { qos: 1, messageId: 5 });
		const delivery = await it.delivered(1);
		delivery.started = true;
		delivery.running = true;
		first.close();
		await scene.refuseThree(0);
		const second = await brokers[1].accept();
		// It has a session of ours of its own.
		await second.greet({ sessionPresent: true });
		await second.grant();
		second.publish("a/b", "m", { qos: 1, messageId: 5, dup: true });
		expect(await it.delivered(2)).not.toBe(delivery);
		delivery.running = false;
		delivery.ack();
		await second.nothing(30);
		it.deliveries[1]!.ack();
		await second.expect("puback", ({ messageId }) => messageId === 5);
		expect(it.client.status().url.port).toBe(brokers[1].port);
		await it.reported("other-broker");
	});

	test("a QoS 1 publish is published anew at the other one, a QoS 2 publish that was written is not", async () => {
		await using scene = await twoBrokers();
		const { brokers, it } = scene;
		const first = await brokers[0].accept();
		await first.greet();
		await first.grant();
		const one = it.publish("one");
		await first.expect("publish");
		const two = it.publish("two", { qos: 2 });
		await first.expect("pubrel");
		first.send({ cmd: "pubcomp", messageId: 1 });
		await first.expect("publish", ({ qos }) => qos === 2);
		first.close();
		await scene.refuseThree(0);
		const second = await brokers[1].accept();
		await second.greet({ sessionPresent: true });
		await second.grant();
		const { messageId } = await second.expect("publish", ({ dup, payload }) => !dup && String(payload) === "one");
		second.send({ cmd: "puback", messageId: messageId! });
		expect([await one, await two]).toEqual([
			"ok",
			"outcome unknown: the connection went to another broker in the middle of a QoS 2 handshake",
		]);
		await eventually(() => expect(it.client.status().pending).toBe(0));
	});

	test("that never accepted are tried in turn", async () => {
		await using scene = await twoBrokers();
		for (const [count, index] of [0, 1, 0, 1].entries()) {
			(await scene.brokers[index]!.accept()).close();
			await pass(delayOf(await scene.it.reported("connect-failed", count + 1)) + 1);
		}
	});
});
