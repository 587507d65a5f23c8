import { hostname } from "node:os";
import { createLogger, type Logger } from "../diagnostics/logger.js";
import { type DescriptorStream, fileStream } from "./descriptor-stream.js";
import { flagError } from "./flags.js";
import type { RunOptions } from "./run-options.js";
import { readVersion } from "./version.js";

/** What a log may have waiting for a reader that is slow or a disk that is full; lines beyond it are lost. */
const MAX_WAITING_BYTES = 1024 * 1024;
/** What was logged last has so long to leave when the process ends. */
const LAST_LINES_MS = 200;

/** A log that waits for nobody. */
export interface RunLog {
	readonly logger: Logger;
	/** Lines that were lost so far. */
	readonly linesDropped: number;
	/** Writes what is left, for at most 200 ms; for the end of the process. */
	flush(): void;
}

/** The log as the flags ask for it, on `stream` unless they name a file. Throws ConfigurationError when the file can't be opened. */
export function createRunLog(
	{ logFile, logLevel, logAsJson, appId }: Pick<RunOptions, "logFile" | "logLevel" | "logAsJson" | "appId">,
	stream: DescriptorStream,
): RunLog {
	const target = logFile === undefined ? stream : openLogFile(logFile);
	let lost = 0;
	let unsaid = 0;
	const logger = createLogger({
		json: logAsJson,
		level: logLevel,
		appId,
		instance: hostname(),
		version: readVersion(),
		destination: {
			write(line) {
				// Once a line was lost all are, until there is room for the line that says so: the order stays true.
				if (unsaid > 0 || target.writableLength > MAX_WAITING_BYTES) {
					lost++;
					unsaid++;
				} else {
					target.write(line);
				}
			},
		},
	});
	target.on("drain", () => {
		if (unsaid === 0) return;
		const count = unsaid;
		unsaid = 0;
		const message = `${count} lines of the log were lost before this one: nobody read them, or they could not be written`;
		logger.error(message, { code: "log-lines-lost", count });
	});
	return {
		logger,
		get linesDropped() {
			return lost;
		},
		flush: () => target.flushSync(LAST_LINES_MS),
	};
}

function openLogFile(file: string): DescriptorStream {
	try {
		return fileStream(file);
	} catch (error) {
		const code = error instanceof Error && "code" in error ? ` (${error.code})` : "";
		throw flagError("log-file", `--log-file ${JSON.stringify(file)}: can't be opened${code}`);
	}
}
