import type { MethodDefinition, ServerDuplexStream, ServerUnaryCall, sendUnaryData } from "@grpc/grpc-js";
import {
	DaprService,
	type GetMetadataRequest,
	type GetMetadataResponse,
	InvokeBindingRequest,
	type InvokeBindingResponse,
	SetMetadataRequest,
	type ShutdownRequest,
} from "../gen/dapr/proto/runtime/v1/dapr.js";
import type { Empty } from "../gen/google/protobuf/empty.js";
import type { GrpcService } from "../grpc/grpc-server.js";
import { GrpcStatus } from "../grpc/grpc-status.js";
import { MalformedMessage, messageReader } from "../grpc/message-reader.js";
import { isLoopback } from "../sockets/listen-addresses.js";
import { OTHER_DAPR_METHODS } from "./dapr-methods.js";
import { grpcError } from "./grpc-error.js";
import { type InvokeCall, type InvokeContext, invokeBinding } from "./invoke-call.js";
import { metadataMessage } from "./metadata-message.js";
import type { Sidecar } from "./sidecar.js";
import { MalformedRequestError, setMetadataError } from "./status.js";

/** What the service works with. */
export interface DaprServiceOptions extends InvokeContext {
	/** Who gets as far as a method has shown the token, or could open our socket file. */
	readonly trustsCallers: boolean;
}

/** The service that Dapr's SDKs call. */
export const DAPR_SERVICE = "dapr.proto.runtime.v1.Dapr";

const NOTHING: Empty = {};

/** Serves the sidecar's operations, and says of Dapr's other methods what this sidecar is. */
export function daprService(options: DaprServiceOptions): GrpcService {
	const { invokeBinding: invoke, setMetadata: set } = DaprService;
	return {
		name: DAPR_SERVICE,
		definition: {
			...DaprService,
			invokeBinding: { ...invoke, requestDeserialize: messageReader(InvokeBindingRequest, "an InvokeBindingRequest") },
			setMetadata: { ...set, requestDeserialize: messageReader(SetMetadataRequest, "a SetMetadataRequest") },
			...Object.fromEntries(OTHER_DAPR_METHODS.map((name) => [name, unservedMethod(name)])),
		},
		implementation: {
			invokeBinding: (call: InvokeCall, answer: sendUnaryData<InvokeBindingResponse>) =>
				void invokeBinding(options, call, answer),
			getMetadata: getMetadata(options.sidecar),
			setMetadata: setMetadata(options.sidecar),
			shutdown: shutdown(options),
			...Object.fromEntries(OTHER_DAPR_METHODS.map((name) => [name, sayWhatThisIs(name)])),
		},
	};
}

function getMetadata(sidecar: Sidecar) {
	return (
		_call: ServerUnaryCall<GetMetadataRequest, GetMetadataResponse>,
		answer: sendUnaryData<GetMetadataResponse>,
	) => answer(null, metadataMessage(sidecar.describe()));
}

function setMetadata(sidecar: Sidecar) {
	type Call = ServerUnaryCall<SetMetadataRequest | MalformedMessage, Empty>;
	return ({ request }: Call, answer: sendUnaryData<Empty>) => {
		try {
			if (request instanceof MalformedMessage) throw new MalformedRequestError(request.reason);
			sidecar.setExtended(request.key, request.value);
			answer(null, NOTHING);
		} catch (error) {
			answer(grpcError(setMetadataError(error)));
		}
	};
}

function shutdown({ sidecar, trustsCallers }: DaprServiceOptions) {
	return (call: ServerUnaryCall<ShutdownRequest, Empty>, answer: sendUnaryData<Empty>) => {
		if (!trustsCallers && !isLoopback(hostOf(call.getPeer()))) {
			const details = "shutdown from another machine needs a token: set DAPR_API_TOKEN";
			answer({ code: GrpcStatus.PERMISSION_DENIED, details });
			return;
		}
		const force = call.metadata.get("dapr-force-shutdown")[0] === "true";
		// Comes at the end of every call: the answer is on its way.
		call.once("cancelled", () => sidecar.shutdown(force));
		answer(null, NOTHING);
	};
}

/** The address in `127.0.0.1:5000` or `::1:5000`. */
function hostOf(peer: string): string {
	return peer.slice(0, peer.lastIndexOf(":"));
}

/** As a stream both ways it is answered before its message is read, and so is every other kind of call. */
function unservedMethod(name: string): MethodDefinition<Buffer, Buffer> {
	const asItIs = (bytes: Buffer) => bytes;
	return {
		path: `/${DAPR_SERVICE}/${name}`,
		requestStream: true,
		responseStream: true,
		requestSerialize: asItIs,
		requestDeserialize: asItIs,
		responseSerialize: asItIs,
		responseDeserialize: asItIs,
	};
}

function sayWhatThisIs(name: string) {
	const details = `this is mqtt3-binding, a sidecar for bindings: it serves InvokeBinding, GetMetadata, SetMetadata and Shutdown, and not ${name}`;
	return (call: ServerDuplexStream<Buffer, Buffer>) => {
		call.emit("error", { code: GrpcStatus.UNIMPLEMENTED, details });
	};
}
