import { Metadata, type StatusObject } from "@grpc/grpc-js";
import { ErrorInfo } from "../gen/google/rpc/error_details.js";
import { Status } from "../gen/google/rpc/status.js";
import type { ApiError } from "./status.js";

/** A message travels in a header, percent-encoded, and once more in the details: many clients take 8 KiB of headers, some no more. */
const MAX_MESSAGE_BYTES = 1_024;

/** An error as gRPC sends it: status, message, and for programs Dapr's error code as google.rpc.ErrorInfo. */
export function grpcError({ grpcStatus, errorCode, message }: ApiError): StatusObject {
	const details = shortened(message);
	const metadata = new Metadata();
	const info = ErrorInfo.encode({ reason: errorCode, domain: "dapr.io", metadata: {} }).finish();
	const value = Status.encode({
		code: grpcStatus,
		message: details,
		details: [{ typeUrl: "type.googleapis.com/google.rpc.ErrorInfo", value: Buffer.from(info) }],
	}).finish();
	metadata.set("grpc-status-details-bin", Buffer.from(value));
	return { code: grpcStatus, details, metadata };
}

/** Text that a header can hold: not too long, and well-formed, as half a surrogate pair can't be percent-encoded. */
function shortened(text: string): string {
	const bytes = Buffer.from(text);
	if (bytes.byteLength <= MAX_MESSAGE_BYTES) return bytes.toString();
	return `${bytes
		.subarray(0, MAX_MESSAGE_BYTES)
		.toString()
		.replace(/\ufffd$/, "")}…`;
}
