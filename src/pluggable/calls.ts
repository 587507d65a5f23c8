import type { Metadata, ServerUnaryCall, sendUnaryData } from "@grpc/grpc-js";
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
	work: (request: Request, signal: AbortSignal) => Promise<Response>,
): void {
	const { request } = call;
	if (request instanceof MalformedMessage) {
		callback({ code: GrpcStatus.INVALID_ARGUMENT, details: request.reason });
		return;
	}
	const controller = new AbortController();
	// daprd went away, or the deadline is over.
	if (isGone(call)) controller.abort();
	else call.once("cancelled", () => controller.abort());
	work(request, controller.signal).then(
		(response) => callback(null, response),
		(error: unknown) => {
			if (!isForeseen(error)) onBug(error);
			callback(failureOf(error));
		},
	);
}
