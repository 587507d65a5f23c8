import { expect, test } from "vitest";
import { startScene } from "./client-under-test.js";
import { pass, withFastTime } from "./fast-time.js";

withFastTime();

test("a broker that sends the next message only after an acknowledgement is seen to have a window", async () => {
	await using scene = await startScene();
	const connection = await scene.subscribed();
	connection.publish("a/b", "m1", { qos: 1, messageId: 1 });
	for (let messageId = 1; messageId <= 3; messageId++) {
		const delivery = await scene.it.delivered(messageId);
		expect(scene.it.client.status().window).toBeUndefined();
		await pass(1_000);
		delivery.ack();
		await connection.expect("puback");
		connection.publish("a/b", `m${messageId + 1}`, { qos: 1, messageId: messageId + 1 });
	}
	await scene.it.delivered(4);
	expect(scene.it.client.status().window).toBe(1);
});
