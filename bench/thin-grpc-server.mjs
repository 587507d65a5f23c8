// The thinnest gRPC server that does the same job: @grpc/grpc-js with the same generated messages.
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { DaprService } from "../dist/gen/dapr/proto/runtime/v1/dapr.js";
import { thinPublisher } from "./thin-publisher.mjs";

const publish = thinPublisher(Number(process.argv[2]));
const ANSWER = { data: Buffer.alloc(0), metadata: {} };
const server = new Server({ "grpc.enable_channelz": 0 });
server.addService(DaprService, {
	invokeBinding: (call, answer) => publish(call.request.data, () => answer(null, ANSWER)),
});
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
	if (error) throw error;
	console.log(`gRPC on 127.0.0.1:${port}`);
	console.log(`listening on http://127.0.0.1:${port}`);
});
