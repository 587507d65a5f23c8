import { startBroker } from "mqtt3-binding/broker";

const broker = await startBroker({ port: 1883 });
console.log(`broker on ${broker.url}, a reading each second`);

broker.onPublish(({ topic, payload }) => {
	if (topic === "home/boiler/command") console.log(`the boiler gets ${Buffer.from(payload)}`);
});

let celsius = 57;
const timer = setInterval(() => {
	broker.publish("home/boiler/temperature", JSON.stringify({ celsius }));
	celsius = celsius < 60 ? celsius + 1 : 57;
}, 1_000);

process.once("SIGINT", () => {
	clearInterval(timer);
	broker.close();
});
