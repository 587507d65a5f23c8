import { createBinding } from "mqtt3-binding";
import { startBroker } from "mqtt3-binding/broker";

const broker = await startBroker(); // in place of yours: then `url` below is "tcp://host:1883"
const binding = createBinding({ url: broker.url, topic: "home/+/temperature", clientId: "thermostat" });

const arrived = new Promise((resolve) => {
	// Returning (or resolving) accepts the message; throwing declines it.
	void binding.receive((message) => {
		console.log(`got ${message.topic}: ${message.text()}`);
		resolve(undefined);
	});
});

await binding.ready(); // connected and subscribed
await binding.create({ topic: "home/boiler/temperature", data: '{"celsius":57.6}' }); // the broker has it
await arrived;
console.log("published and received");

await binding.close(); // waits for handlers, acknowledges what they accepted, disconnects
await broker.close();
