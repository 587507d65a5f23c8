/** The gRPC codes other than OK, by name. */
const GRPC_CODES: ReadonlySet<string> = new Set([
	"CANCELLED",
	"UNKNOWN",
	"INVALID_ARGUMENT",
	"DEADLINE_EXCEEDED",
	"NOT_FOUND",
	"ALREADY_EXISTS",
	"PERMISSION_DENIED",
	"RESOURCE_EXHAUSTED",
	"FAILED_PRECONDITION",
	"ABORTED",
	"OUT_OF_RANGE",
	"UNIMPLEMENTED",
	"INTERNAL",
	"UNAVAILABLE",
	"DATA_LOSS",
	"UNAUTHENTICATED",
]);
/** 1xx never ends a request, 2xx accepts. */
const HTTP = /^[345](?:\d\d|xx)$/;

/** What may stand in a list of statuses, in words. */
export const STATUSES_EXPECTED = "HTTP statuses from 300 on, 3xx, 4xx, 5xx or names of gRPC codes as INVALID_ARGUMENT";

/** One entry in the form in which it is compared: names in capitals, classes as `4xx`. */
export function normalStatus(text: string): string {
	const word = text.trim();
	return /^\dxx$/i.test(word) ? word.toLowerCase() : word.toUpperCase();
}

/** Whether an entry is one of a list of statuses: `422`, `5xx`, `INVALID_ARGUMENT`. */
export function isStatus(entry: unknown): entry is string {
	return typeof entry === "string" && (HTTP.test(entry) || GRPC_CODES.has(entry));
}

/** Whether the list names the status that an app answered with: `exactly`, or only by its `class`. */
export function statusMatch(list: readonly string[], status: number | string): "exactly" | "class" | undefined {
	const text = String(status);
	if (list.includes(text)) return "exactly";
	return text.length === 3 && list.includes(`${text[0]}xx`) ? "class" : undefined;
}
