import { createServer } from "node:http";

const sidecar = `http://localhost:${process.env.DAPR_HTTP_PORT}/v1.0/bindings/boiler`;

createServer(async (request, response) => {
	const body = Buffer.concat(await request.toArray()).toString();
	if (request.method === "POST") {
		console.log(`${request.headers.topic} says ${body}`);
		const heating = JSON.parse(body).celsius < 58;
		const command = { operation: "create", metadata: { topic: "home/boiler/command" }, data: { heating } };
		await fetch(sidecar, { method: "POST", body: JSON.stringify(command) });
	}
	response.end(); // any 2xx: the message is accepted, and only now acknowledged to the broker
}).listen(3000);
