/** True when somebody else listens there. */
export function isPortTaken(error: unknown): boolean {
	if (!(error instanceof Error)) return false;
	return ("code" in error && error.code === "EADDRINUSE") || isPortTaken(error.cause);
}
