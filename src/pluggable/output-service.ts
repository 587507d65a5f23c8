import { OPERATIONS } from "../bindings/mqtt3-output.js";
import {
	InvokeRequest,
	OutputBindingInitRequest,
	type OutputBindingServer,
	OutputBindingService,
} from "../gen/dapr/proto/components/v1/bindings.js";
import type { GrpcService } from "../grpc/grpc-server.js";
import { messageReader } from "../grpc/message-reader.js";
import { answer, instanceOf, type OnBug } from "./calls.js";
import type { Instances } from "./instances.js";

/** What an Invoke is answered with; daprd makes an empty body of it. */
const DONE = Object.freeze({ data: Buffer.alloc(0), metadata: {}, contentType: "" });

/** `dapr.proto.components.v1.OutputBinding`: what daprd's callers send goes to brokers. */
export function outputService(instances: Instances, onBug: OnBug): GrpcService {
	const implementation: OutputBindingServer = {
		init: (call, callback) =>
			answer(call, callback, onBug, async ({ metadata }: OutputBindingInitRequest) => {
				await instances.init(instanceOf(call.metadata), "output", metadata?.properties ?? {}, call.getPeer());
				return {};
			}),
		invoke: (call, callback) =>
			answer(call, callback, onBug, async ({ operation, data, metadata }: InvokeRequest, caller) => {
				const name = instanceOf(call.metadata);
				if (!instances.get(name).has("output")) await instances.recall(name, "output");
				const instance = instances.get(name);
				// daprd hands on the JSON text of its HTTP callers, and the bytes of its gRPC callers, without a word of which it is.
				const dataIsJson = namesEncoding(metadata) || instance.hasEncoding;
				await instance.invoke({ operation, data, dataIsJson, metadata }, caller);
				return DONE;
			}),
		listOperations: (_call, callback) => callback(null, { operations: [...OPERATIONS] }),
		ping: (call, callback) =>
			answer(call, callback, onBug, async (_request, caller) => {
				await instances.get(instanceOf(call.metadata)).ping("output", caller);
				return {};
			}),
	};
	const { init, invoke } = OutputBindingService;
	return {
		name: "dapr.proto.components.v1.OutputBinding",
		definition: {
			...OutputBindingService,
			init: {
				...init,
				requestDeserialize: messageReader(OutputBindingInitRequest, "an OutputBindingInitRequest"),
			},
			invoke: { ...invoke, requestDeserialize: messageReader(InvokeRequest, "an InvokeRequest") },
		},
		implementation,
	};
}

function namesEncoding(metadata: Readonly<Record<string, string>>): boolean {
	for (const key in metadata) if (key.length === 8 && key.toLowerCase() === "encoding") return true;
	return false;
}
