import type { Metadata, ServerUnaryCall, sendUnaryData } from "@grpc/grpc-js";
import { Caller } from "../grpc/caller.js";
import { type GrpcFailure, GrpcStatus, grpcFailure, isForeseen } from "../grpc/grpc-status.js";
import { MalformedMessage } from "../grpc/message-reader.js";
import { InUseError } from "./instance.js";

/** What every call of daprd carries: the component's name. dapr: pkg/components/pluggable/grpc.go */
const INSTANCE = "x-component-instance";

/** The component that a call is about; without the header, or with an empty one, it is the one without a name. */
export function instanceOf(metadata: Metadata): string {
	return String(metadata.get(INSTANCE)[0] ?? "");
}

/** Told of bugs; callers see `internal error`. */
export type OnBug = (error: unknown) => void;

/** The status of a failed call, and its words. */
export function failureOf(error: unknown): GrpcFailure {
	const failure = grpcFailure(error);
	return error instanceof InUseError ? { ...failure, code: GrpcStatus.ALREADY_EXISTS } : failure;
}

/** A call that was cancelled before its handler began tells nobody; it has no connection any more. */
function isGone(call: { readonly cancelled: boolean; getPeer(): string }): boolean {
	return call.cancelled || call.getPeer() === "unknown";
}

/** Answers one call with what `work` resolves with, or with the status of its failure. */
export function answer<Request, Response>(
	call: ServerUnaryCall<Request | MalformedMessage, Response>,
	callback: sendUnaryData<Response>,
	onBug: OnBug,
	work: (request: Request, caller: Caller) => Promise<Response>,
): void {
	const { request } = call;
	if (request instanceof MalformedMessage) {
		callback({ code: GrpcStatus.INVALID_ARGUMENT, details: request.reason });
		return;
	}
	const caller = new Caller();
	let isAnswered = false;
	// Comes at the end of every call: before its answer, daprd went away or the deadline is over.
	if (isGone(call)) caller.leave();
	else {
		call.once("cancelled", () => {
			if (!isAnswered) caller.leave();
		});
	}
	work(request, caller).then(
		(response) => {
			isAnswered = true;
			callback(null, response);
		},
		(error: unknown) => {
			isAnswered = true;
			if (!isForeseen(error)) onBug(error);
			callback(failureOf(error));
		},
	);
}
