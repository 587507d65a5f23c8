import type { Logger } from "../diagnostics/logger.js";
import type { StopRequest } from "./stop-request.js";

/** Ended by a second signal, or with handlers left running. */
export const EXIT_UNFINISHED = 1;
/** A bug: the state is unknown, so nothing goes on. As in BSD's sysexits.h. */
const EXIT_BUG = 70;

/**
 * Asks for the end when the process is told to end, and ends it at once at the second time, or at a bug. `onExit` runs last of all, and may
 * not wait. `onHangUp`: what SIGHUP does in place of that.
 */
export function watchProcess(stop: StopRequest, logger: Logger, onExit: () => void, onHangUp?: () => void): void {
	stop.listen((signal) => {
		logger.warn(`${signal} again: ending at once`);
		process.exit(EXIT_UNFINISHED);
	}, onHangUp);
	process.on("exit", onExit);
	process.on("uncaughtException", (error) => {
		logger.fatal("a bug: the state is unknown, ending", { error, stack: error.stack });
		process.exit(EXIT_BUG);
	});
	// Without a listener Node would open its debugger on SIGUSR1, for anybody on this machine.
	process.on("SIGUSR1", () => {});
	// Node's own streams are asked at the end whether all has left.
	for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
}
