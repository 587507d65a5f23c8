// The same job as thin-grpc-server.mjs on node:http2 alone, with no gRPC library: what lies underneath.
import { createServer } from "node:http2";
import { InvokeBindingRequest } from "../dist/gen/dapr/proto/runtime/v1/dapr.js";
import { thinPublisher } from "./thin-publisher.mjs";

const publish = thinPublisher(Number(process.argv[2]));
const ANSWER = Buffer.alloc(5);
const HEAD = { ":status": 200, "content-type": "application/grpc" };
const TRAILERS = { "grpc-status": "0" };
const server = createServer();
server.on("stream", (stream) => {
	const chunks = [];
	stream.on("data", (chunk) => chunks.push(chunk));
	stream.on("end", () => {
		const bytes = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
		publish(InvokeBindingRequest.decode(bytes.subarray(5)).data, () => {
			stream.respond(HEAD, { waitForTrailers: true });
			stream.on("wantTrailers", () => stream.sendTrailers(TRAILERS));
			stream.end(ANSWER);
		});
	});
});
server.listen(0, "127.0.0.1", () => {
	console.log(`gRPC on 127.0.0.1:${server.address().port}`);
	console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
