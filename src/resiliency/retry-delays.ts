/** When and how often a failed call is made again. dapr: kit, retry/retry.go */
export interface RetrySettings {
	readonly name: string;
	readonly policy: "constant" | "exponential";
	/** Between two attempts, with `constant`. */
	readonly durationMs: number;
	/** The longest pause, with `exponential`. */
	readonly maxIntervalMs: number;
	/** Attempts after the first; -1: until it succeeds. */
	readonly maxRetries: number;
	/** Only failures with these HTTP statuses are retried. Absent: all. */
	readonly httpStatusCodes?: readonly StatusRange[];
	/** Only failures with these gRPC codes, as numbers. Absent: all. */
	readonly grpcStatusCodes?: readonly StatusRange[];
}

/** Both ends belong to it. */
export type StatusRange = readonly [first: number, last: number];

const INITIAL_MS = 500;
const MULTIPLIER = 1.5;
const JITTER = 0.5;
/** With `exponential` no attempt begins later after the first. */
const LONGEST_MS = 15 * 60_000;

/** The pauses between the attempts of one call: those of Dapr, with its jitter. Ends when there is to be no further attempt. */
export function* retryDelays(settings: RetrySettings): Generator<number, undefined> {
	const startedAt = performance.now();
	let interval = INITIAL_MS;
	for (let retry = 0; settings.maxRetries < 0 || retry < settings.maxRetries; retry++) {
		if (settings.policy === "constant") {
			yield settings.durationMs;
			continue;
		}
		const delay = interval * (1 - JITTER + 2 * JITTER * Math.random());
		if (performance.now() - startedAt + delay > LONGEST_MS) return;
		yield delay;
		interval = Math.min(interval * MULTIPLIER, settings.maxIntervalMs);
	}
}

/** Whether the list of ranges names the status. */
export function isInRanges(ranges: readonly StatusRange[], status: number): boolean {
	return ranges.some(([first, last]) => status >= first && status <= last);
}
