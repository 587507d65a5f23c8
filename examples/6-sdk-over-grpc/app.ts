import { CommunicationProtocolEnum, DaprServer } from "@dapr/dapr";

const server = new DaprServer({
	serverHost: "127.0.0.1",
	serverPort: "3000",
	communicationProtocol: CommunicationProtocolEnum.GRPC,
	clientOptions: { daprHost: "127.0.0.1", daprPort: process.env.DAPR_GRPC_PORT ?? "50001" },
});

await server.binding.receive("boiler", async (reading: { celsius: number }) => {
	console.log(`the boiler says ${reading.celsius}`);
	const command = { heating: reading.celsius < 58 };
	await server.client.binding.send("boiler", "create", command, { topic: "home/boiler/command" });
}); // the handler resolves: accepted, and only now acknowledged to the broker

await server.start();
