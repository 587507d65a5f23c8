import { createBinding } from "mqtt3-binding";
import { startBroker } from "mqtt3-binding/broker";

const broker = await startBroker();
const binding = createBinding({
	url: broker.url,
	topic: "orders",
	clientId: "shop",
	backOffMaxRetries: 1, // one more attempt …
	backOffIntervalMs: 100, // … so long after the first
	onRetriesExhausted: "hold", // the default: kept, not acknowledged …
	holdIntervalMs: 300, // … and tried again so often (default 30 s)
});

binding.on("held", (report) => console.log(`held: ${report.details.topic} after ${report.details.attempts} attempts`));

let databaseIsUp = false;
const done = new Promise((resolve) => {
	void binding.receive((message) => {
		const order = message.text();
		if (order === "large order" && !databaseIsUp) {
			console.log(`attempt ${message.attempt}: ${order} refused`);
			if (message.attempt === 3) databaseIsUp = true;
			throw new Error("the database is down");
		}
		console.log(`attempt ${message.attempt}: ${order} accepted`);
		if (order === "large order") resolve(undefined);
	});
});

await binding.ready();
await broker.publish("orders", "large order");
await broker.publish("orders", "small order");

await done;
await binding.close();
await broker.close();
