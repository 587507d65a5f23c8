import { AppError } from "../errors.js";
import type { AppVerdict } from "./app-channel.js";

/** A question that is given up after a time. */
export interface DeadlineQuestion {
	readonly timeoutMs: number;
	/** The asker's: who aborts it wants no answer any more. */
	readonly signal: AbortSignal;
	/** Puts the question; its signal aborts with the asker's, and when the time is over. */
	readonly ask: (signal: AbortSignal) => Promise<AppVerdict>;
	/** For people: `OPTIONS /orders at 127.0.0.1:3000`. */
	readonly describe: () => string;
	/** Why the latest attempt to connect failed. */
	readonly connectError: () => string | undefined;
}

/**
 * Puts a question to the app and waits for a complete answer. Resolves with `accepted`, or with `failed` where the app said so with a status.
 * Rejects with AppError when it gave no answer in time, or none at all.
 */
export async function askInTime(question: DeadlineQuestion): Promise<AppVerdict & { kind: "accepted" | "failed" }> {
	const { timeoutMs, signal, ask } = question;
	const deadline = new AbortController();
	const abort = () => deadline.abort();
	const timer = setTimeout(abort, timeoutMs);
	signal.addEventListener("abort", abort);
	try {
		if (signal.aborted) abort();
		const verdict = await ask(deadline.signal);
		if (verdict.kind === "accepted") return verdict;
		if (verdict.kind === "failed" && verdict.status !== undefined) return verdict;
		throw noAnswer(question, verdict, deadline.signal.aborted && !signal.aborted);
	} finally {
		clearTimeout(timer);
		signal.removeEventListener("abort", abort);
	}
}

function noAnswer({ timeoutMs, describe, connectError }: DeadlineQuestion, verdict: AppVerdict, late: boolean) {
	const what = describe();
	switch (verdict.kind) {
		case "failed":
			return new AppError(`${what} got no answer: ${verdict.error.message}`, {
				outcome: "failed",
				cause: verdict.error,
			});
		case "unreachable":
			return new AppError(`${what} was not sent: ${connectError() ?? "no connection"}`, { outcome: "unreachable" });
		default: {
			const why = late ? ` within ${timeoutMs} ms` : "";
			const crashed = verdict.kind === "none" && verdict.crashed === true;
			return new AppError(`${what} got no answer${why}`, { outcome: crashed ? "crashed" : "none" });
		}
	}
}
