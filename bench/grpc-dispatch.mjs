// A bare `grpc-js` client alone: the same calls to the same server, without a broker.
import { Client, credentials } from "@grpc/grpc-js";
import { AppCallbackService } from "../dist/gen/dapr/proto/runtime/v1/appcallback.js";
import { report } from "./child.mjs";

const [port, count, atOnce] = process.argv.slice(2).map(Number);
const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), { "grpc.enable_channelz": 0 });
const { path, requestSerialize, responseDeserialize } = AppCallbackService.onBindingEvent;
const event = { name: "bench", data: Buffer.alloc(100, "x"), metadata: { topic: "bench" } };
const done = report();
let started = 0;
let ended = 0;
function next() {
	if (started === count) return;
	started++;
	client.makeUnaryRequest(path, requestSerialize, responseDeserialize, event, (error) => {
		if (error) throw error;
		if (++ended < count) return next();
		done(count);
		client.close();
	});
}
for (let index = 0; index < atOnce; index++) next();
