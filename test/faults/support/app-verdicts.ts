import type { AppCall, Histories } from "./histories.js";

/** The app is a process like others, and sees what happens on its connections a little later. */
const SEEN_LATE_MS = 1_000;

/** What the app's history says of each message. */
export interface AppVerdict {
	/** When the app, or a documented disposition, first settled it. */
	settledAt: number;
	/** From when on later acknowledgements may overtake it: an attempt failed. */
	failedAt: number;
	/** Calls answered with 2xx. */
	accepted: number;
	/** Calls during which the app, or the connection to it, was lost. */
	lost: number;
	firstCall: AppCall | undefined;
}

/** One pass over the app's calls. */
export function appVerdicts({ app, appLosses, disposed }: Histories): ReadonlyMap<string, AppVerdict> {
	const verdicts = new Map<string, AppVerdict>();
	const verdictOn = (id: string): AppVerdict => {
		let verdict = verdicts.get(id);
		if (verdict === undefined) {
			const never = Number.POSITIVE_INFINITY;
			verdict = { settledAt: never, failedAt: never, accepted: 0, lost: 0, firstCall: undefined };
			verdicts.set(id, verdict);
		}
		return verdict;
	};
	let losses = 0;
	for (const call of app) {
		// What was on its way when the connection went may come a little later.
		while (losses < appLosses.length && appLosses[losses]! < call.at - SEEN_LATE_MS) losses++;
		const verdict = verdictOn(call.id);
		verdict.firstCall ??= call;
		const { status, answeredAt = Number.POSITIVE_INFINITY } = call;
		// The answer may have been on its way when the connection went.
		if (appLosses[losses] !== undefined && appLosses[losses]! < answeredAt + SEEN_LATE_MS) verdict.lost++;
		if (status !== undefined && status >= 200 && status < 300) {
			verdict.accepted++;
			verdict.settledAt = Math.min(verdict.settledAt, answeredAt);
		} else {
			// An answer that never came is a failure of some time after the call.
			verdict.failedAt = Math.min(verdict.failedAt, status === undefined ? call.at : answeredAt);
		}
	}
	for (const { id, at } of disposed) {
		const verdict = verdictOn(id);
		verdict.settledAt = Math.min(verdict.settledAt, at);
	}
	return verdicts;
}
