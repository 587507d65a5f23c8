import { BindingError, ConfigurationError, PublishError } from "../errors.js";
import { GrpcStatus, publishStatus } from "../grpc/grpc-status.js";

/** What an answer is over HTTP and over gRPC. */
interface Statuses {
	readonly status: number;
	readonly grpcStatus: GrpcStatus;
	/** Seconds, for `Retry-After`. */
	readonly retryAfter?: number;
}

/** Dapr's error codes, as far as this API uses them, and the statuses that each has where nothing more is said. */
const STATUS = {
	ERR_MALFORMED_REQUEST: { status: 400, grpcStatus: GrpcStatus.INVALID_ARGUMENT },
	ERR_DIRECT_INVOKE: { status: 404, grpcStatus: GrpcStatus.UNIMPLEMENTED },
	ERR_INVOKE_OUTPUT_BINDING: { status: 500, grpcStatus: GrpcStatus.INTERNAL },
	ERR_HEALTH_NOT_READY: { status: 500, grpcStatus: GrpcStatus.UNAVAILABLE },
	ERR_HEALTH_APPID_NOT_MATCH: { status: 500, grpcStatus: GrpcStatus.INVALID_ARGUMENT },
	ERR_OUTBOUND_HEALTH_NOT_READY: { status: 500, grpcStatus: GrpcStatus.UNAVAILABLE },
} as const satisfies Readonly<Record<string, Statuses>>;

/** One of Dapr's error codes. */
export type DaprErrorCode = keyof typeof STATUS;

/** An answer that is an error, in Dapr's words. */
export interface ApiError extends Statuses {
	readonly errorCode: DaprErrorCode;
	readonly message: string;
}

/** The request can't be read as what it should be. The message is what is wrong with it. */
export class MalformedRequestError extends Error {}

/** The request's body is longer than it may be. */
export class BodyTooLargeError extends MalformedRequestError {
	constructor(limit: number, what = "body") {
		super(`${what} is larger than ${limit} bytes`);
	}
}

/** There is too much to do already; the caller should come back. */
export class BusyError extends Error {}

/** An error with the statuses that its code has in Dapr. */
export function daprError(errorCode: DaprErrorCode, message: string): ApiError {
	return { ...STATUS[errorCode], errorCode, message };
}

/**
 * What a failed invocation of the binding `name` is answered with. The message of a bug is kept from the caller. `unreadable`: how the
 * message begins when the request can't be read; default: as any other.
 */
export function invokeError(name: string, error: unknown, unreadable?: string): ApiError {
	const prefix = `error invoking output binding ${name}: `;
	if (error instanceof MalformedRequestError) {
		const answer = daprError("ERR_MALFORMED_REQUEST", `${unreadable ?? prefix}${error.message}`);
		// Over HTTP 400 as in daprd.
		return error instanceof BodyTooLargeError ? { ...answer, grpcStatus: GrpcStatus.RESOURCE_EXHAUSTED } : answer;
	}
	const cause = isBug(error) ? "internal error" : (error as Error).message;
	return { ...daprError("ERR_INVOKE_OUTPUT_BINDING", `${prefix}${cause}`), ...exceptions(error) };
}

/** The failures of an invocation that have statuses of their own. */
function exceptions(error: unknown): Partial<Statuses> {
	if (error instanceof ConfigurationError) return { status: 400, grpcStatus: GrpcStatus.INVALID_ARGUMENT };
	if (isTooMuch(error)) return { status: 503, grpcStatus: GrpcStatus.RESOURCE_EXHAUSTED, retryAfter: 1 };
	return error instanceof PublishError ? { grpcStatus: publishStatus(error) } : {};
}

/** What a refused value for the sidecar's metadata is answered with. Throws what is no refusal. */
export function setMetadataError(error: unknown): ApiError {
	if (!(error instanceof MalformedRequestError || error instanceof BusyError)) throw error;
	const answer = daprError("ERR_MALFORMED_REQUEST", error.message);
	if (error instanceof BodyTooLargeError) {
		return { ...answer, status: 413, grpcStatus: GrpcStatus.RESOURCE_EXHAUSTED };
	}
	return { ...answer, ...exceptions(error) };
}

/** True for a failure that nobody foresaw. */
export function isBug(error: unknown): boolean {
	return !(error instanceof BindingError || error instanceof MalformedRequestError || error instanceof BusyError);
}

function isTooMuch(error: unknown): boolean {
	return error instanceof BusyError || (error instanceof PublishError && error.pending);
}
