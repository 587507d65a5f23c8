import { appVerdicts } from "./app-verdicts.js";
import { checkAcknowledgements } from "./check-acknowledgements.js";
import { checkCreates } from "./check-creates.js";
import { checkDeliveries } from "./check-deliveries.js";
import type { Histories } from "./histories.js";
import type { Violation } from "./violation.js";

/** What a run must have shown to prove anything. */
export interface Minimum {
	/** Messages that the app accepted. */
	readonly messages: number;
	/** Creates that succeeded; default 0. */
	readonly creates?: number;
	/** Faults that fired; default 1. */
	readonly faults?: number;
}

/** Holds recorded histories against I1 to I7, I13 and I14, in time proportional to their length. Pure. */
export function checkHistories(histories: Histories, minimum: Minimum): Violation[] {
	const verdicts = appVerdicts(histories);
	return [
		...checkRun(histories, minimum),
		...checkDeliveries(histories, verdicts),
		...checkAcknowledgements(histories, verdicts),
		...checkCreates(histories),
	];
}

/** How many faults fired. */
export function countFaults({ wire, faults }: Histories): number {
	return faults.length + wire.filter(({ event }) => event === "fault").length;
}

function checkRun(histories: Histories, { messages, creates = 0, faults = 1 }: Minimum): Violation[] {
	const accepted = new Set(histories.app.filter(({ status = 0 }) => status >= 200 && status < 300).map(({ id }) => id))
		.size;
	const succeeded = histories.creates.filter(({ answer }) => answer === "success").length;
	const fired = countFaults(histories);
	const missing = [
		accepted < messages && `the app accepted ${accepted} messages, and ${messages} prove something`,
		succeeded < creates && `${succeeded} creates succeeded, and ${creates} prove something`,
		fired < faults && `${fired} faults fired, and ${faults} were meant to`,
	];
	return missing.flatMap((message) => (message ? [{ invariant: "run", message, witness: [] }] : []));
}
