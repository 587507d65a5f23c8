import type { Report } from "../bindings/binding.js";
import type { LogFields, Logger } from "./logger.js";

const INTERVAL_MS = 1_000;
/** What is found at start, each time something else: none may hide another. */
const ALWAYS_LOGGED: ReadonlySet<string> = new Set(["component-warning", "component-left-out"]);

interface Window {
	/** The newest report that was not logged. */
	waiting: Report | undefined;
	suppressed: number;
}

/**
 * Logs what components report: of each code and component at most one line a second. What comes in between is counted; the
 * next line is the newest of it, with `suppressed`, how many others it stands for. What Init finds is logged line by line.
 */
export function reportLogger(logger: Logger): (component: string | undefined, report: Report) => void {
	const windows = new Map<string, Window>();

	const write = (component: string | undefined, report: Report, suppressed: number): void => {
		const { code, error, details, message } = report;
		logger[report.level](message, {
			...details,
			code,
			component,
			...(error && describe(error, message)),
			suppressed: suppressed > 0 ? suppressed : undefined,
		});
	};

	const log = (key: string, component: string | undefined, report: Report, suppressed: number): void => {
		write(component, report, suppressed);
		const window: Window = { waiting: undefined, suppressed: 0 };
		windows.set(key, window);
		setTimeout(() => {
			windows.delete(key);
			if (window.waiting !== undefined) log(key, component, window.waiting, window.suppressed - 1);
		}, INTERVAL_MS).unref();
	};

	return (component, report) => {
		if (!logger.isEnabled(report.level)) return;
		if (ALWAYS_LOGGED.has(report.code)) {
			write(component, report, 0);
			return;
		}
		const key = `${component ?? ""} ${report.code}`;
		const window = windows.get(key);
		if (window === undefined) {
			log(key, component, report, 0);
			return;
		}
		window.waiting = report;
		window.suppressed++;
	};
}

/** What an error adds to a line that may hold its message already. */
function describe(error: Error, message: string): LogFields {
	if (!message.includes(error.message)) return { error };
	return "code" in error ? { errorCode: error.code } : {};
}
