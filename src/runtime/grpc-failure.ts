import { type StatusObject, status } from "@grpc/grpc-js";
import { parseRetryAfter } from "./retry-after.js";
import { parseRetryInfo } from "./retry-info.js";

/** What grpc-js says when it ends a call itself, after headers had come: of that version that package.json names. */
const OWN_WORDS =
	/^(?:Received RST_STREAM|Received message (?:larger|that decompresses)|Received compressed message|Failed to decompress|Compression method|Call cancelled$|Connection dropped$|Stream refused|Bandwidth exhausted|Protocol not secure|Write (?:error|failed)|(?:read|write) E[A-Z]+$|Response message parsing error|Too many responses)/;

const TOO_LARGE = /^Received message (?:larger|that decompresses)/;

/** The longest part of an app's own words that is passed on. */
const maxDetails = 256;

/**
 * Whether the app itself sent this status. grpc-js does not tell, so: a response of nothing but a status has at least a content type
 * beside it; statuses that grpc-js makes have no metadata and, where nothing had come before, can't be the app's; where headers had come,
 * its words tell. `isLost`: the connection has ended.
 */
export function isFromApp({ code, details, metadata }: StatusObject, isAnswering: boolean, isLost: boolean): boolean {
	if (Object.keys(metadata.getMap()).length > 0) return true;
	if (!isAnswering) return false;
	return !(isLost && code === status.UNAVAILABLE) && !OWN_WORDS.test(details);
}

/** Whether grpc-js gave up reading an answer because it is too long. */
export function isTooLarge({ code, details }: StatusObject): boolean {
	return code === status.RESOURCE_EXHAUSTED && TOO_LARGE.test(details);
}

/** Whether the app turned a call away before it looked at it. */
export function isRefused({ code, details }: StatusObject): boolean {
	return code === status.UNAVAILABLE && details.startsWith("Stream refused");
}

/** Why a call ended that the app did not end: grpc-js's words, or of those the part that it got from below. */
export function describeFailure(object: StatusObject): string {
	const { details } = object;
	const cause = /Last error: (?:Error: )?(.*?)(?: \([\dT:.Z-]*\))?\. Resolution note/.exec(details)?.[1];
	return cause || details || codeName(object);
}

/** The name of a status's code, `INVALID_ARGUMENT`; `UNKNOWN` for numbers that gRPC does not have. */
export function codeName({ code }: StatusObject): string {
	return status[code] ?? "UNKNOWN";
}

/** The code's name and the app's words, for people. */
export function describeStatus(object: StatusObject): string {
	const { details } = object;
	if (details === "") return codeName(object);
	return `${codeName(object)}: ${details.length > maxDetails ? `${details.slice(0, maxDetails)}…` : details}`;
}

/** The delay that the app asks for: RetryInfo among the status's details, or `retry-after` in the trailers. */
export function retryAfterMsOf({ code, metadata }: StatusObject): number | undefined {
	if (code !== status.UNAVAILABLE && code !== status.RESOURCE_EXHAUSTED) return undefined;
	const [details] = metadata.get("grpc-status-details-bin");
	const fromDetails = Buffer.isBuffer(details) ? parseRetryInfo(details) : undefined;
	if (fromDetails !== undefined) return fromDetails;
	const [retryAfter] = metadata.get("retry-after");
	return typeof retryAfter === "string" ? parseRetryAfter(retryAfter) : undefined;
}
