// The app over gRPC: @grpc/grpc-js, accepts every event, and tells its parent when the first and the last of a run came.
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { AppCallbackService } from "../dist/gen/dapr/proto/runtime/v1/appcallback.js";
import { countRuns } from "./app-runs.mjs";

const ACCEPTED = { storeName: "", to: [], data: Buffer.alloc(0), concurrency: 0 };
const count = countRuns();
const server = new Server({ "grpc.enable_channelz": 0 });
server.addService(AppCallbackService, {
	listInputBindings: (_call, answer) => answer(null, { bindings: ["bench"] }),
	onBindingEvent: (_call, answer) => {
		answer(null, ACCEPTED);
		count();
	},
});
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
	if (error) throw error;
	process.send({ port });
});
