import { destination as openDestination, pino } from "pino";
import { escapeControls, textLine } from "./text-line.js";

export { reportLogger } from "./report-logger.js";

/** daprd's levels. */
export type LogLevel = "debug" | "info" | "warn" | "error" | "fatal";

/** Structured members of a line. `error` may be an Error: its message and code are written, never its stack. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Writes lines. */
export interface Logger {
	debug(message: string, fields?: LogFields): void;
	info(message: string, fields?: LogFields): void;
	warn(message: string, fields?: LogFields): void;
	error(message: string, fields?: LogFields): void;
	/** The process is about to end for this. */
	fatal(message: string, fields?: LogFields): void;
	/** False when a line of this level would not be written. */
	isEnabled(level: LogLevel): boolean;
	/** Waits, without giving way to others, until what was logged is written. For the end of the process. */
	flush(): void;
}

/** Where lines go, each with its line feed. */
export interface LogDestination {
	write(line: string): void;
}

export interface LoggerOptions {
	/** True: one JSON object per line, with daprd's members. Default: text. */
	readonly json?: boolean | undefined;
	/** Default `info`. */
	readonly level?: LogLevel | undefined;
	readonly appId: string;
	/** The host's name. */
	readonly instance: string;
	/** `x.y.z`. */
	readonly version: string;
	/** Default: standard output, written in the background, with at most 4 MiB waiting; a reader that is gone or stuck costs lines, never the process. */
	readonly destination?: LogDestination | undefined;
}

const SCOPE = "mqtt3-binding";
const MAX_WAITING_BYTES = 4 * 1024 * 1024;
const MAX_TEXT = 2_048;
/** Names of members whose values are never written. */
const SECRET = /password|passphrase|secret|token|clientkey|credential/i;

/** Makes a logger. */
export function createLogger(options: LoggerOptions): Logger {
	const stdout =
		options.destination === undefined
			? openDestination({ dest: 1, sync: false, maxLength: MAX_WAITING_BYTES })
			: undefined;
	const lines: LogDestination = options.destination ?? (stdout as LogDestination);
	const line = options.json
		? escapeControls
		: (json: string) => textLine(JSON.parse(json) as Readonly<Record<string, unknown>>);
	const log = pino(
		{
			level: options.level ?? "info",
			base: { type: "log", scope: SCOPE, instance: options.instance, ver: options.version, app_id: options.appId },
			timestamp: () => `,"time":"${new Date().toISOString()}"`,
			// As daprd writes it.
			formatters: { level: (label) => ({ level: label === "warn" ? "warning" : label }) },
		},
		{ write: (json: string) => lines.write(line(json)) },
	);
	const at = (level: LogLevel) => (message: string, fields?: LogFields) => {
		if (log.isLevelEnabled(level)) log[level](fields === undefined ? {} : shown(fields), shortened(message));
	};
	return {
		debug: at("debug"),
		info: at("info"),
		warn: at("warn"),
		error: at("error"),
		fatal: at("fatal"),
		isEnabled: (level) => log.isLevelEnabled(level),
		flush: () => stdout?.flushSync(),
	};
}

function shown(fields: LogFields): LogFields {
	const entries: [string, unknown][] = [];
	for (const [name, value] of Object.entries(fields)) {
		if (value === undefined) continue;
		if (SECRET.test(name)) entries.push([name, "***"]);
		else if (value instanceof Error) {
			entries.push([name, shortened(value.message)]);
			if ("code" in value) entries.push([`${name}Code`, value.code]);
		} else entries.push([name, typeof value === "string" ? shortened(value) : value]);
	}
	return Object.fromEntries(entries);
}

/** A topic may have 65,535 bytes; a line should not. */
function shortened(text: string): string {
	return text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT)}… (${text.length} characters)`;
}
