// An app that serves events with Dapr's official SDK as it comes: tells of each over IPC, refuses while it is told to, else says in a message of
// its own that it has it.
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const { CommunicationProtocolEnum, DaprServer, LogLevel } = require("@dapr/dapr");
const { Settings } = require("@dapr/dapr/utils/Settings.util.js");

const [protocol, appPort, daprPort, daprApiToken] = process.argv.slice(2);
Settings.daprSidecarPollingDelayMs = 20;
let refuses = false;
process.on("message", (message) => {
	refuses = message.refuses;
});
const server = new DaprServer({
	serverHost: "127.0.0.1",
	serverPort: appPort,
	communicationProtocol: CommunicationProtocolEnum[protocol],
	logger: { level: LogLevel.Error },
	clientOptions: { daprHost: "127.0.0.1", daprPort, ...(daprApiToken && { daprApiToken }) },
});
await server.binding.receive("orders", async (event) => {
	process.send(event);
	if (refuses) throw new Error("not now");
	await server.client.binding.send("orders", "create", event, { topic: "out/done" });
});
await server.start();
console.log("the app serves");
