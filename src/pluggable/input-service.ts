import type { Report } from "../bindings/binding.js";
import {
	InputBindingInitRequest,
	type InputBindingServer,
	InputBindingService,
	type PingResponse,
} from "../gen/dapr/proto/components/v1/bindings.js";
import type { GrpcService } from "../grpc/grpc-server.js";
import { isForeseen } from "../grpc/grpc-status.js";
import { asOneMessage } from "../grpc/message-batch.js";
import { messageReader } from "../grpc/message-reader.js";
import { answer, failureOf, instanceOf, type OnBug } from "./calls.js";
import type { Instances } from "./instances.js";
import { type ReadCall, ReadStream } from "./read-stream.js";

/** `dapr.proto.components.v1.InputBinding`: messages of brokers go to daprd. */
export function inputService(
	instances: Instances,
	onReport: (component: string, report: Report) => void,
	onBug: OnBug,
): GrpcService {
	const implementation: Pick<InputBindingServer, "init" | "ping"> & { readonly read: (call: ReadCall) => void } = {
		init: (call, callback) =>
			answer(call, callback, onBug, async ({ metadata }: InputBindingInitRequest) => {
				await instances.init(instanceOf(call.metadata), "input", metadata?.properties ?? {}, call.getPeer());
				return {};
			}),
		read: (call) => {
			const name = instanceOf(call.metadata);
			const stream = new ReadStream(call, (count) => onReport(name, unknownId(count)));
			read(instances, name, stream).catch((error: unknown) => {
				if (!isForeseen(error)) onBug(error);
				const { code, details } = failureOf(error);
				stream.end(code, details);
			});
		},
		ping: (call, callback) =>
			answer(call, callback, onBug, async (_request, caller): Promise<PingResponse> => {
				await instances.get(instanceOf(call.metadata)).ping("input", caller);
				return {};
			}),
	};
	return {
		name: "dapr.proto.components.v1.InputBinding",
		definition: {
			...InputBindingService,
			init: {
				...InputBindingService.init,
				requestDeserialize: messageReader(InputBindingInitRequest, "an InputBindingInitRequest"),
			},
			read: { ...InputBindingService.read, responseSerialize: asOneMessage },
		},
		implementation,
	};
}

async function read(instances: Instances, name: string, stream: ReadStream): Promise<void> {
	if (!instances.get(name).has("input")) await instances.recall(name, "input");
	await instances.get(name).read(stream);
}

function unknownId(count: number): Report {
	const message = `daprd answered to an event that it was not sent on this stream, or had answered to before: ignored (${count} so far)`;
	return { level: "warn", code: "unknown-message-id", message };
}
