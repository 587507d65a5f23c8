import { type ServiceError, status } from "@grpc/grpc-js";
import { AppError, BindingError, ConfigurationError, NotFoundError, PublishError, StateError } from "../errors.js";

/** What a failed call is answered with. */
export type GrpcFailure = Pick<ServiceError, "code" | "details">;

/** The status of a failure, and its words; of a bug only that it is one. */
export function grpcFailure(error: unknown): GrpcFailure {
	if (error instanceof AggregateError) {
		const failures = error.errors.map(grpcFailure);
		const details = failures.map((failure) => failure.details).join("; ");
		return { code: failures[0]?.code ?? status.INTERNAL, details };
	}
	if (!isForeseen(error)) return { code: status.INTERNAL, details: "internal error" };
	return { code: codeOf(error), details: error.message };
}

/** False for a bug. */
export function isForeseen(error: unknown): error is BindingError {
	return error instanceof AggregateError ? error.errors.every(isForeseen) : error instanceof BindingError;
}

function codeOf(error: BindingError): status {
	if (error instanceof ConfigurationError) return status.INVALID_ARGUMENT;
	if (error instanceof StateError) return status.FAILED_PRECONDITION;
	if (error instanceof NotFoundError) return error.kind === "operation" ? status.INVALID_ARGUMENT : status.NOT_FOUND;
	if (error instanceof PublishError) {
		if (error.pending) return status.RESOURCE_EXHAUSTED;
		return error.outcome === "not-sent" ? status.UNAVAILABLE : status.DEADLINE_EXCEEDED;
	}
	return error instanceof AppError ? status.INTERNAL : status.UNAVAILABLE;
}
