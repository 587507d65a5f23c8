import {
	Client,
	type ClientReadableStream,
	credentials,
	Metadata,
	type MethodDefinition,
	type StatusObject,
	status,
} from "@grpc/grpc-js";
import {
	DaprService,
	InvokeBindingRequest,
	type InvokeBindingResponse,
} from "../../src/gen/dapr/proto/runtime/v1/dapr.js";
import { ErrorInfo } from "../../src/gen/google/rpc/error_details.js";
import { Status } from "../../src/gen/google/rpc/status.js";

/** What a caller needs of a method. */
export type Method<Request, Response> = Pick<
	MethodDefinition<Request, Response>,
	"path" | "requestSerialize" | "responseDeserialize"
>;

/** How a call is made. */
export interface CallOptions {
	/** Headers; a list: the header again and again. */
	readonly headers?: Readonly<Record<string, string | readonly string[]>>;
	readonly deadlineMs?: number;
	/** Ends the call. */
	readonly signal?: AbortSignal;
}

/** What came of a call. */
export interface CallOutcome<T> {
	/** The name of the status. */
	readonly code: string;
	readonly details: string;
	readonly message?: T;
	/** What came with the status for programs. */
	readonly info?: { readonly reason: string; readonly domain: string };
}

/** A gRPC client of the test's own: grpc-js's. Disposing it closes its connection. */
export class GrpcCaller implements Disposable {
	readonly client: Client;

	constructor(target: string) {
		this.client = new Client(target, credentials.createInsecure(), {
			"grpc.max_receive_message_length": -1,
			// A connection of its own, which other callers do not share.
			"grpc.use_local_subchannel_pool": 1,
		});
	}

	/** Calls a method with one message and one answer; never rejects. */
	call<Request, Response>(
		method: Method<Request, Response>,
		request: Request,
		{ headers = {}, deadlineMs, signal }: CallOptions = {},
	): Promise<CallOutcome<Response>> {
		return new Promise((resolve) => {
			let message: Response | undefined;
			const options = deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs };
			const call = this.client.makeUnaryRequest(
				method.path,
				method.requestSerialize,
				method.responseDeserialize,
				request,
				metadataOf(headers),
				options,
				(_error, response) => {
					message = response;
				},
			);
			call.once("status", (ended: StatusObject) => {
				// The status comes before the callback.
				setImmediate(() => resolve(outcomeOf(ended, message)));
			});
			signal?.addEventListener("abort", () => call.cancel(), { once: true });
		});
	}

	/** Calls InvokeBinding of the binding `orders`. */
	async create(request: Partial<InvokeBindingRequest> = {}, options: CallOptions = {}) {
		const whole = { name: "orders", operation: "create", data: Buffer.from("1"), metadata: {}, ...request };
		return await this.call<InvokeBindingRequest, InvokeBindingResponse>(DaprService.invokeBinding, whole, options);
	}

	/** Sends bytes in place of an InvokeBindingRequest. */
	async createFrom(bytes: Buffer) {
		const method = { ...DaprService.invokeBinding, requestSerialize: (same: Buffer) => same };
		return await this.call(method, bytes);
	}

	/** Begins a call with one message and many answers. */
	stream<Request, Response>(
		method: Method<Request, Response>,
		request: Request,
		headers: CallOptions["headers"] = {},
	): ClientReadableStream<Response> {
		const { path, requestSerialize, responseDeserialize } = method;
		return this.client.makeServerStreamRequest(
			path,
			requestSerialize,
			responseDeserialize,
			request,
			metadataOf(headers),
		);
	}

	[Symbol.dispose](): void {
		this.client.close();
	}
}

/** The bytes of a request, for those that are to be damaged. */
export function invokeBytes(request: Partial<InvokeBindingRequest>): Buffer {
	const whole = { name: "orders", operation: "create", data: Buffer.from("1"), metadata: {}, ...request };
	return Buffer.from(InvokeBindingRequest.encode(whole).finish());
}

export function metadataOf(headers: NonNullable<CallOptions["headers"]>): Metadata {
	const metadata = new Metadata();
	for (const [name, value] of Object.entries(headers)) for (const each of [value].flat()) metadata.add(name, each);
	return metadata;
}

function outcomeOf<T>({ code, details, metadata }: StatusObject, message: T | undefined): CallOutcome<T> {
	const [bytes] = metadata.get("grpc-status-details-bin");
	return {
		code: status[code] ?? String(code),
		details,
		...(message !== undefined && { message }),
		...(bytes instanceof Buffer && { info: infoIn(bytes) }),
	};
}

function infoIn(bytes: Buffer) {
	const [detail] = Status.decode(bytes).details;
	if (detail?.typeUrl !== "type.googleapis.com/google.rpc.ErrorInfo") throw new Error(`details ${detail?.typeUrl}`);
	const { reason, domain } = ErrorInfo.decode(detail.value);
	return { reason, domain };
}
