// The same thin server with MQTT.js in place of encoder and socket.
import { createServer } from "node:http";
import mqtt from "mqtt";

const client = mqtt.connect(`mqtt://127.0.0.1:${process.argv[2]}`, { clientId: "thin-mqttjs" });
const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
	const chunks = [];
	request.on("data", (chunk) => chunks.push(chunk));
	request.on("end", () => {
		const { data } = JSON.parse(Buffer.concat(chunks).toString());
		client.publish("bench", JSON.stringify(data), { qos: 1 }, () => response.writeHead(204).end());
	});
});
server.listen(0, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
