// The thinnest gRPC server that does the same job: @grpc/grpc-js with the same generated messages, our encoder, one socket, publishes
// batched per turn.
import net from "node:net";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { DaprService } from "../dist/gen/dapr/proto/runtime/v1/dapr.js";
import { encode, publishSize, writePublishHeader } from "../dist/mqtt/encode.js";

const brokerPort = Number(process.argv[2]);
const broker = net.connect(brokerPort, "127.0.0.1");
broker.setNoDelay(true);
broker.write(encode({ type: "connect", clientId: "thin", cleanSession: true, keepAlive: 60 }));
const waiting = new Map();
let nextId = 1;
let batch = [];
broker.on("data", (chunk) => {
	for (let at = 0; at + 4 <= chunk.length; at += 4) {
		if (chunk[at] !== 0x40) continue;
		const id = (chunk[at + 2] << 8) | chunk[at + 3];
		waiting.get(id)?.(null, { data: Buffer.alloc(0), metadata: {} });
		waiting.delete(id);
	}
});
function publish(payload, answer) {
	const id = nextId;
	nextId = (nextId % 65_535) + 1;
	waiting.set(id, answer);
	const packet = Buffer.allocUnsafe(publishSize(5, payload.length, 1));
	const end = writePublishHeader(packet, 0, "bench", 5, payload.length, id, 1, false, false);
	packet.set(payload, end);
	if (batch.push(packet) === 1) setImmediate(flush);
}
function flush() {
	broker.write(Buffer.concat(batch));
	batch = [];
}
const server = new Server({ "grpc.enable_channelz": 0 });
server.addService(DaprService, { invokeBinding: (call, answer) => publish(call.request.data, answer) });
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
	if (error) throw error;
	console.log(`gRPC on 127.0.0.1:${port}`);
	console.log(`listening on http://127.0.0.1:${port}`);
});
