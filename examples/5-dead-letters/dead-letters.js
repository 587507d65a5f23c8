import { createBinding } from "mqtt3-binding";
import { startBroker } from "mqtt3-binding/broker";

const broker = await startBroker();
const binding = createBinding({
	url: broker.url,
	topic: "orders/+",
	clientId: "shop",
	ordering: "topic", // one order of a customer at a time, in order of arrival
	backOffMaxRetries: 1,
	backOffIntervalMs: 100,
	deadLetterTopic: "unfit-orders", // after that it goes here, and only then it is acknowledged
	deadLetterOn: ["422"], // an error with this status goes there at once
});

broker.onPublish(({ topic, payload }) => {
	if (topic !== "unfit-orders") return;
	const letter = JSON.parse(payload.toString());
	console.log(`dead letter: ${Buffer.from(letter.payload, "base64")} (${letter.topic}), ${letter.error}`);
});

const done = new Promise((resolve) => {
	void binding.receive((message) => {
		console.log(`attempt ${message.attempt}: ${message.text()}`);
		if (message.text() === "a tonne of nails") throw new Error("nobody can lift that");
		if (message.text() === "half a nail") throw Object.assign(new Error("sold whole"), { status: 422 });
		if (message.text() === "a nail") resolve(undefined);
	});
});

await binding.ready();
await broker.publish("orders/ann", "a tonne of nails");
await broker.publish("orders/ann", "a nail"); // waits for the one before it
await broker.publish("orders/bob", "half a nail"); // does not
await done;
await binding.close();
await broker.close();
