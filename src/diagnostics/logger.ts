import { pino } from "pino";
import { escapeControls, textLine } from "./text-line.js";

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
	readonly destination: LogDestination;
}

const SCOPE = "mqtt3-binding";
const MAX_TEXT = 2_048;
/** Names of members whose values are never written. */
const SECRET = /password|passphrase|secret|token|clientkey|credential/i;

/** Makes a logger. */
export function createLogger(options: LoggerOptions): Logger {
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
		{ write: (json: string) => options.destination.write(line(json)) },
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
