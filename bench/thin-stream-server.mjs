// The thinnest component: @grpc/grpc-js on a Unix socket, a Read that sends `count` events, so many at once as a broker's window has, and
// takes an answer to each. No broker.
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { InputBindingService } from "../dist/gen/dapr/proto/components/v1/bindings.js";

const [socket, count, atOnce] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const data = Buffer.alloc(100, "x");
const metadata = { topic: "bench" };
const server = new Server({ "grpc.enable_channelz": 0 });
server.addService(InputBindingService, {
	init: (_call, answer) => answer(null, {}),
	ping: (_call, answer) => answer(null, {}),
	read: (call) => {
		let sent = 0;
		const send = () => {
			if (sent < count) call.write({ data, metadata, contentType: "application/json", messageId: String(++sent) });
		};
		call.on("data", send);
		call.on("end", () => call.end());
		for (let index = 0; index < atOnce; index++) send();
	},
});
server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) => {
	if (error) throw error;
	console.log(`listening on ${socket}`);
});
