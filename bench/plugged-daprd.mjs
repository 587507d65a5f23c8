// daprd's side of the socket: Init with the properties that are given, Read, each event answered as accepted. Says when the first came and
// when the last was answered.
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { InputBindingService } from "../dist/gen/dapr/proto/components/v1/bindings.js";

const [socket, count, properties] = [process.argv[2], Number(process.argv[3]), JSON.parse(process.argv[4])];
const client = new Client(`unix:${socket}`, credentials.createInsecure(), { "grpc.enable_channelz": 0 });
const metadata = new Metadata();
metadata.set("x-component-instance", "bench");
const { init, read } = InputBindingService;
const request = { metadata: { properties } };
client.makeUnaryRequest(init.path, init.requestSerialize, init.responseDeserialize, request, metadata, (error) => {
	if (error) throw error;
	const stream = client.makeBidiStreamRequest(read.path, read.requestSerialize, read.responseDeserialize, metadata);
	let seen = 0;
	stream.on("error", () => process.exit(1));
	stream.on("data", ({ messageId }) => {
		if (seen++ === 0) process.send({ firstAt: performance.now() });
		stream.write({ messageId, responseData: Buffer.alloc(0), responseError: undefined });
		if (seen === count) process.send({ lastAt: performance.now() });
	});
});
