import { createBinding } from "mqtt3-binding";
import { startBroker } from "mqtt3-binding/broker";

const broker = await startBroker();
const binding = createBinding({ url: broker.url, topic: "readings/#", clientId: "collector" });

// The loop subscribes when it begins; what is published before finds nobody.
binding.on("subscribed", async () => {
	for (let number = 1; number <= 6; number++) await broker.publish(`readings/${number}`, String(number * 10));
});

let stored = 0;
const batch = [];
for await (const delivery of binding.deliveries()) {
	batch.push(delivery);
	if (batch.length < 3) continue;
	console.log(`storing ${batch.map((one) => `${one.topic}=${one.text()}`).join(", ")}`);
	stored += batch.length;
	for (const one of batch.splice(0)) one.ack();
	if (stored === 6) break;
}

await binding.close();
await broker.close();
