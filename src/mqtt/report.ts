/** Something that happened and that somebody above may want to log or count. */
export interface Report {
	readonly level: "debug" | "info" | "warn" | "error";
	/** Stable, kebab-case: the cause, by which logs are rate-limited and metrics are counted. */
	readonly code: string;
	/** One sentence, lower case, no full stop, no secret. */
	readonly message: string;
	readonly error?: Error;
	/** Extra structured members of the log line: `topic`, `packetId`, `bytes`, … */
	readonly details?: Readonly<Record<string, string | number | boolean>>;
}
