import { expect, test } from "vitest";
import { startScene } from "./client-under-test.js";

test("[MQTT-4.8.0-2] an error of our own while a packet is handled closes the connection with its cause, and the broker sends the packet again", async () => {
	const bug = new TypeError("not a function");
	let isBroken = true;
	await using scene = await startScene({
		onDelivery: (delivery) => {
			if (isBroken) throw bug;
			delivery.ack();
		},
	});
	const first = await scene.subscribed();
	first.publish("a/b", "m", { qos: 1, messageId: 1 });
	first.publish("a/b", "n", { qos: 1, messageId: 2 });
	await first.closed;
	expect((await scene.it.reported("disconnected")).error).toMatchObject({ reason: "local", cause: bug });
	expect(first.received.map(({ packet }) => packet.cmd)).toEqual(["connect", "subscribe"]);
	isBroken = false;
	const second = await scene.subscribed({ sessionPresent: true });
	second.publish("a/b", "n", { qos: 1, messageId: 2, dup: true });
	await second.expect("puback", ({ messageId }) => messageId === 2);
});
