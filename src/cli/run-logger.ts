import { openSync, writeSync } from "node:fs";
import { hostname } from "node:os";
import { createLogger, type LogDestination, type Logger } from "../diagnostics/logger.js";
import { flagError } from "./flags.js";
import type { RunOptions } from "./run-options.js";
import { readVersion } from "./version.js";

/** The log as the flags ask for it; `destination` wins over them. Throws ConfigurationError when the file can't be opened. */
export function createRunLogger(options: RunOptions, destination?: LogDestination): Logger {
	const { logFile, logLevel, logAsJson, appId } = options;
	return createLogger({
		json: logAsJson,
		level: logLevel,
		appId,
		instance: hostname(),
		version: readVersion(),
		destination: destination ?? (logFile === undefined ? undefined : openLogFile(logFile)),
	});
}

function openLogFile(file: string): LogDestination {
	let descriptor: number;
	try {
		descriptor = openSync(file, "a", 0o600);
	} catch (cause) {
		const code = cause instanceof Error && "code" in cause ? ` (${cause.code})` : "";
		throw flagError("log-file", `--log-file ${JSON.stringify(file)}: can't be opened${code}`);
	}
	return {
		write(line) {
			try {
				writeSync(descriptor, line);
			} catch {
				// A full disk costs lines, not messages.
			}
		},
	};
}
