import type { ServiceError } from "@grpc/grpc-js";
import { AppError, BindingError, ConfigurationError, NotFoundError, PublishError, StateError } from "../errors.js";

/** gRPC's status codes, as far as we answer with them. Here, as the API needs them before its first gRPC call loads the library. */
export const GrpcStatus = {
	INVALID_ARGUMENT: 3,
	DEADLINE_EXCEEDED: 4,
	NOT_FOUND: 5,
	ALREADY_EXISTS: 6,
	PERMISSION_DENIED: 7,
	RESOURCE_EXHAUSTED: 8,
	FAILED_PRECONDITION: 9,
	UNIMPLEMENTED: 12,
	INTERNAL: 13,
	UNAVAILABLE: 14,
} as const;
export type GrpcStatus = (typeof GrpcStatus)[keyof typeof GrpcStatus];

/** What a failed call is answered with. */
export type GrpcFailure = Pick<ServiceError, "code" | "details">;

/** The status of a failure, and its words; of a bug only that it is one. */
export function grpcFailure(error: unknown): GrpcFailure {
	if (error instanceof AggregateError) {
		const failures = error.errors.map(grpcFailure);
		const details = failures.map((failure) => failure.details).join("; ");
		return { code: failures[0]?.code ?? GrpcStatus.INTERNAL, details };
	}
	if (!isForeseen(error)) return { code: GrpcStatus.INTERNAL, details: "internal error" };
	return { code: codeOf(error), details: error.message };
}

/** False for a bug. */
export function isForeseen(error: unknown): error is BindingError {
	return error instanceof AggregateError ? error.errors.every(isForeseen) : error instanceof BindingError;
}

/** What publishing failed with. Clients may call again by themselves after UNAVAILABLE: only where nothing of it has left us. */
export function publishStatus({ pending, outcome }: PublishError): GrpcStatus {
	if (pending) return GrpcStatus.RESOURCE_EXHAUSTED;
	return outcome === "not-sent" ? GrpcStatus.UNAVAILABLE : GrpcStatus.DEADLINE_EXCEEDED;
}

function codeOf(error: BindingError): GrpcStatus {
	if (error instanceof ConfigurationError) return GrpcStatus.INVALID_ARGUMENT;
	if (error instanceof StateError) return GrpcStatus.FAILED_PRECONDITION;
	if (error instanceof PublishError) return publishStatus(error);
	if (error instanceof NotFoundError) {
		return error.kind === "operation" ? GrpcStatus.INVALID_ARGUMENT : GrpcStatus.NOT_FOUND;
	}
	return error instanceof AppError ? GrpcStatus.INTERNAL : GrpcStatus.UNAVAILABLE;
}
