import { openSync, writeSync } from "node:fs";
import { hostname } from "node:os";
import { createLogger, type LogDestination, type Logger } from "../diagnostics/logger.js";
import { flagError } from "./flags.js";
import type { RunOptions } from "./run-options.js";
import { readVersion } from "./version.js";

/** What a log may have waiting for a reader that is slow; beyond it lines are lost. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;

/** The log as the flags ask for it, on `stream` unless they name a file. Throws ConfigurationError when the file can't be opened. */
export function createRunLogger(options: RunOptions, stream: NodeJS.WriteStream): Logger {
	const { logFile, logLevel, logAsJson, appId } = options;
	return createLogger({
		json: logAsJson,
		level: logLevel,
		appId,
		instance: hostname(),
		version: readVersion(),
		destination: logFile === undefined ? streamLog(stream) : fileLog(logFile),
	});
}

/** Never waits for the reader: a pipe that nobody reads must not hold up the messages, nor the end of the process. */
function streamLog(stream: NodeJS.WriteStream): LogDestination {
	return {
		write(line) {
			if (stream.writable && stream.writableLength < MAX_WAITING_BYTES) stream.write(line);
		},
	};
}

function fileLog(file: string): LogDestination {
	const descriptor = openLogFile(file);
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

function openLogFile(file: string): number {
	try {
		return openSync(file, "a", 0o600);
	} catch (error) {
		const code = error instanceof Error && "code" in error ? ` (${error.code})` : "";
		throw flagError("log-file", `--log-file ${JSON.stringify(file)}: can't be opened${code}`);
	}
}
