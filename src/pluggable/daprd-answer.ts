import { ACCEPTED, type Verdict } from "../bindings/binding.js";
import { AppError } from "../errors.js";
import type { ReadRequest } from "../gen/dapr/proto/components/v1/bindings.js";

/** What daprd says of an event that came while it stopped to read. dapr: pkg/runtime/processor/binding/input/input.go */
const CLOSING = "input binding is closed";
/** dapr: pkg/runtime/processor/binding/send.go, where an app answers over HTTP. */
const HTTP_STATUS = /status code: (\d{3})\b/;
/** As grpc-go prints the status of an app that answers over gRPC. */
const GRPC_CODE = /\brpc error: code = (\w+) desc = /;
/** An app's answer may be as long as it likes; of its words so many are kept. */
const MAX_WORDS = 512;

const NO_VERDICT: Verdict = Object.freeze({ kind: "none" });

/**
 * What daprd's answer to one event means. An error text counts as the app's refusal, with the status that it names, so that `dropOn` and
 * `deadLetterOn` work; a binding that daprd is closing has said nothing of the event.
 */
export function verdictOf({ responseError }: Pick<ReadRequest, "responseError">): Verdict {
	if (responseError === undefined) return ACCEPTED;
	const { message } = responseError;
	if (message.includes(CLOSING)) return NO_VERDICT;
	const words = message.length > MAX_WORDS ? `${message.slice(0, MAX_WORDS)}…` : message;
	const status = statusIn(message);
	const error = new AppError(`daprd reported: ${words}`, {
		outcome: "failed",
		status: typeof status === "number" ? status : undefined,
	});
	return status === undefined ? { kind: "failed", error } : { kind: "failed", error, status };
}

function statusIn(message: string): number | string | undefined {
	const http = HTTP_STATUS.exec(message)?.[1];
	if (http !== undefined) return Number(http);
	const code = GRPC_CODE.exec(message)?.[1];
	// Go writes NotFound for what is NOT_FOUND everywhere else.
	return code?.replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();
}
