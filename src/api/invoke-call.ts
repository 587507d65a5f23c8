import type { ServerUnaryCall, sendUnaryData } from "@grpc/grpc-js";
import type { InvokeBindingRequest, InvokeBindingResponse } from "../gen/dapr/proto/runtime/v1/dapr.js";
import { Caller } from "../grpc/caller.js";
import { MalformedMessage } from "../grpc/message-reader.js";
import { grpcError } from "./grpc-error.js";
import { mergeMetadata } from "./merged-metadata.js";
import type { Sidecar } from "./sidecar.js";
import { BodyTooLargeError, daprError, invokeError, isBug } from "./status.js";

/** Of a caller's time so much is kept for the answer's way back, and at most so many milliseconds. */
const ANSWER_SHARE = 0.1;
const ANSWER_MS = 100;
const NOTHING: InvokeBindingResponse = { data: Buffer.alloc(0), metadata: {} };

/** A call of InvokeBinding; its message may be none. */
export type InvokeCall = ServerUnaryCall<InvokeBindingRequest | MalformedMessage, InvokeBindingResponse>;

/** What a call of InvokeBinding works with. */
export interface InvokeContext {
	readonly sidecar: Sidecar;
	/** Of the request's data, in bytes. */
	readonly maxBodySize: number;
	/** Told of what nobody foresaw. */
	readonly onError: (error: unknown) => void;
}

/** Serves one call. A caller that leaves, or whose deadline passes, takes its message with it. Never rejects. */
export async function invokeBinding(
	{ sidecar, maxBodySize, onError }: InvokeContext,
	call: InvokeCall,
	answer: sendUnaryData<InvokeBindingResponse>,
): Promise<void> {
	const { request } = call;
	if (request instanceof MalformedMessage) {
		answer(grpcError(daprError("ERR_MALFORMED_REQUEST", request.reason)));
		return;
	}
	const { name, operation, data } = request;
	const caller = new Caller();
	let isAnswered = false;
	// Comes at the end of every call.
	call.once("cancelled", () => {
		if (!isAnswered) caller.leave();
	});
	try {
		if (data.byteLength > maxBodySize) throw new BodyTooLargeError(maxBodySize, "data");
		const metadata = mergeMetadata(request.metadata, call.metadata, call.getHost());
		const invocation = { operation, data, dataIsJson: false, metadata, timeoutMs: timeLeft(call) };
		const result = await sidecar.invoke(name, invocation, caller);
		isAnswered = true;
		answer(null, result === undefined ? NOTHING : { data: Buffer.from(result.data), metadata: { ...result.metadata } });
	} catch (error) {
		isAnswered = true;
		if (isBug(error)) onError(error);
		answer(grpcError(invokeError(name, error)));
	}
}

/**
 * The milliseconds that a caller with a deadline has left, less what the answer needs on its way: when the deadline itself has passed it
 * would hear neither that the message was not sent nor why.
 */
function timeLeft(call: InvokeCall): number | undefined {
	const left = Number(call.getDeadline()) - Date.now();
	if (left === Number.POSITIVE_INFINITY) return undefined;
	return Math.max(0, left - Math.min(left * ANSWER_SHARE, ANSWER_MS));
}
