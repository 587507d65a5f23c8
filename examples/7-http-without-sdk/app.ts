import { createServer } from "node:http";

const sidecar = `http://localhost:${process.env.DAPR_HTTP_PORT}/v1.0/bindings/boiler`;

async function publish(topic: string, data: unknown): Promise<void> {
	const request = { operation: "create", metadata: { topic }, data };
	const response = await fetch(sidecar, { method: "POST", body: JSON.stringify(request) });
	if (!response.ok) throw new Error(await response.text()); // says `not sent` or `outcome unknown`, and why
}

const server = createServer(async (request, response) => {
	if (request.method !== "POST") return void response.end(); // OPTIONS: yes, we want the messages
	try {
		const reading = JSON.parse(Buffer.concat(await request.toArray()).toString()) as { celsius: number };
		console.log(`${request.headers.topic} says ${reading.celsius}`);
		await publish("home/boiler/command", { heating: reading.celsius < 58 });
		response.end(); // 200: accepted, and only now acknowledged to the broker
	} catch (error) {
		console.error(error);
		response.writeHead(500).end(); // refused: comes again, or stays with the broker
	}
});

server.listen(3000, "127.0.0.1");
