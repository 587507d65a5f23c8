import { BindingError, ConfigurationError, PublishError } from "../errors.js";

/** Dapr's error codes, as far as this API uses them, and the status that each has where nothing more is said. */
const STATUS = {
	ERR_MALFORMED_REQUEST: 400,
	ERR_DIRECT_INVOKE: 404,
	ERR_INVOKE_OUTPUT_BINDING: 500,
	ERR_HEALTH_NOT_READY: 500,
	ERR_HEALTH_APPID_NOT_MATCH: 500,
	ERR_OUTBOUND_HEALTH_NOT_READY: 500,
} as const;

/** One of Dapr's error codes. */
export type DaprErrorCode = keyof typeof STATUS;

/** An answer that is an error, in Dapr's words. */
export interface ApiError {
	readonly status: number;
	readonly errorCode: DaprErrorCode;
	readonly message: string;
	/** Seconds, for `Retry-After`. */
	readonly retryAfter?: number;
}

/** The request can't be read as what it should be. The message is what is wrong with it. */
export class MalformedRequestError extends Error {}

/** The request's body is longer than it may be. */
export class BodyTooLargeError extends MalformedRequestError {
	constructor(limit: number) {
		super(`body is larger than ${limit} bytes`);
	}
}

/** There is too much to do already; the caller should come back. */
export class BusyError extends Error {}

/** An error with the status that its code has in Dapr. */
export function daprError(errorCode: DaprErrorCode, message: string): ApiError {
	return { status: STATUS[errorCode], errorCode, message };
}

/** What a failed invocation of the binding `name` is answered with. The message of a bug is kept from the caller. */
export function invokeError(name: string, error: unknown): ApiError {
	if (error instanceof MalformedRequestError) {
		return daprError("ERR_MALFORMED_REQUEST", `failed deserializing HTTP body: ${error.message}`);
	}
	const cause = isBug(error) ? "internal error" : (error as Error).message;
	const answer = daprError("ERR_INVOKE_OUTPUT_BINDING", `error invoking output binding ${name}: ${cause}`);
	if (error instanceof ConfigurationError) return { ...answer, status: 400 };
	if (isTooMuch(error)) return { ...answer, status: 503, retryAfter: 1 };
	return answer;
}

/** True for a failure that nobody foresaw. */
export function isBug(error: unknown): boolean {
	return !(error instanceof BindingError || error instanceof MalformedRequestError || error instanceof BusyError);
}

function isTooMuch(error: unknown): boolean {
	return error instanceof BusyError || (error instanceof PublishError && error.pending);
}
