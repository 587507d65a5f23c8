// An app that uses Dapr's official SDK as it comes: does what it is told over IPC, `binding.send` with arguments, and tells what came of it.
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const { CommunicationProtocolEnum, DaprClient, LogLevel } = require("@dapr/dapr");
const { Settings } = require("@dapr/dapr/utils/Settings.util.js");

const [protocol, port, token] = process.argv.slice(2);
// A start that fails takes 60 looks.
Settings.daprSidecarPollingDelayMs = 20;
const client = new DaprClient({
	daprHost: "127.0.0.1",
	daprPort: port,
	communicationProtocol: CommunicationProtocolEnum[protocol],
	logger: { level: LogLevel.Error },
	...(token && { daprApiToken: token }),
});
process.on("message", async ({ id, method, args }) => {
	const [part, name] = method.split(".");
	try {
		const result = await client[part][name](...args);
		process.send({ id, result: result ?? null });
	} catch (error) {
		process.send({ id, error: { message: String(error.message), code: error.code ?? null } });
	}
});
console.log("listening on IPC");
