import type { ClientStatus } from "../mqtt/client-status.js";
import type { InboundCounters } from "../mqtt/inbound.js";
import type { Report } from "../mqtt/report.js";

type Told = Pick<Report, "level" | "code"> & { readonly text: string };

/** What the client counts of messages that came, and of answers to its own. */
type Counters = InboundCounters & Pick<ClientStatus, "unexpectedAnswers">;

/** What is worth a word of what the client only counts. `copies`, `adopted` and `unread` are told elsewhere or are in order. */
const TOLD: Partial<Readonly<Record<keyof Counters, Told>>> = {
	qos0Dropped: {
		level: "warn",
		code: "qos0-dropped",
		text: "QoS 0 messages dropped: too large, or they fill their quarter of maxBuffered",
	},
	skipped: {
		level: "warn",
		code: "passed-by",
		text: "messages passed by because maxBuffered is full; the broker sends them again once half of it is free",
	},
	lostDropped: {
		level: "error",
		code: "lost-dropped",
		text: "messages of a lost session dropped before the app saw them: they fill maxBuffered",
	},
	unexpectedAnswers: {
		level: "warn",
		code: "unexpected-answer",
		text: "answers of the broker to publishes that nobody made, or that were answered before: ignored",
	},
	stale: {
		level: "info",
		code: "stale-acknowledgement",
		text: "messages accepted after their connection had gone: not acknowledged, the broker sends them again",
	},
};

/** Turns counters into reports: one for each that has grown since the last look. */
export class CounterReports {
	#seen: Partial<Counters> = {};

	look(counters: Readonly<Counters>): readonly Report[] {
		const reports: Report[] = [];
		for (const [name, { level, code, text }] of Object.entries(TOLD) as [keyof Counters, Told][]) {
			const count = counters[name] - (this.#seen[name] ?? 0);
			if (count > 0) reports.push({ level, code, message: `${count} ${text}`, details: { count } });
		}
		this.#seen = { ...counters };
		return reports;
	}
}
