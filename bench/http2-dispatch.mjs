// The same calls as grpc-dispatch.mjs on node:http2 alone, with no gRPC library: what lies underneath.
import { connect } from "node:http2";
import { BindingEventRequest } from "../dist/gen/dapr/proto/runtime/v1/appcallback.js";
import { report } from "./child.mjs";

const [port, count, atOnce] = process.argv.slice(2).map(Number);
const session = connect(`http://127.0.0.1:${port}`);
const HEAD = {
	":method": "POST",
	":path": "/dapr.proto.runtime.v1.AppCallback/OnBindingEvent",
	"content-type": "application/grpc",
	te: "trailers",
};
const event = { name: "bench", data: Buffer.alloc(100, "x"), metadata: { topic: "bench" } };
let started = 0;
let ended = 0;
function next() {
	if (started === count) return;
	started++;
	const message = BindingEventRequest.encode(event).finish();
	const framed = Buffer.alloc(5 + message.length);
	framed.writeUInt32BE(message.length, 1);
	framed.set(message, 5);
	const stream = session.request(HEAD);
	stream.end(framed);
	let code;
	stream.on("trailers", (trailers) => {
		code = trailers["grpc-status"];
	});
	stream.on("data", () => {});
	stream.on("end", () => {
		if (code !== "0") throw new Error(`refused with ${code}`);
		if (++ended < count) return next();
		done(count);
		session.close();
	});
}
const done = report();
session.on("connect", () => {
	for (let index = 0; index < atOnce; index++) next();
});
