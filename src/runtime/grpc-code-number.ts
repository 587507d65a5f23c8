/** The gRPC codes in the order of their numbers. */
const NAMES = [
	"OK",
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
];

/** The number of a gRPC code, `UNAVAILABLE` → 14; undefined for a name that is none. */
export function grpcCodeNumber(name: string): number | undefined {
	const number = NAMES.indexOf(name);
	return number < 0 ? undefined : number;
}
