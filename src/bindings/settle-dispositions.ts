import { matches, overlap, stripShare } from "../mqtt/topic.js";
import { formatDuration } from "./duration.js";
import { MQTT3_FIELDS } from "./mqtt3-fields.js";
import type { DeadLetterSettings, Mqtt3Settings } from "./mqtt3-options.js";
import { publishTopicProblem } from "./mqtt3-output.js";
import type { Draft } from "./mqtt3-settings.js";
import type { Problems } from "./problems.js";
import { quote } from "./quote.js";

type Dispositions = Pick<
	Mqtt3Settings,
	| "backOffMaxRetries"
	| "backOffPolicy"
	| "backOffIntervalMs"
	| "backOffMaxIntervalMs"
	| "onRetriesExhausted"
	| "deadLetter"
	| "dropOn"
	| "deadLetterOn"
>;

/** What becomes of deliveries that the app refuses: when they are tried again, and what follows when that is over. */
export function settleDispositions(draft: Draft, filters: readonly string[], problems: Problems): Dispositions {
	const deadLetter = settleDeadLetter(draft, filters, problems);
	const { dropOn = [], deadLetterOn = [] } = draft;
	const contested = dropOn.find((status) => deadLetterOn.includes(status));
	if (contested !== undefined) {
		problems.add("deadLetterOn", `${quote(contested)} stands in dropOn as well: name it in one of them`);
	}
	const whenExhausted = deadLetter ? "deadLetter" : draft.cleanSession ? "drop" : "hold";
	return {
		backOffMaxRetries: draft.backOffMaxRetries ?? MQTT3_FIELDS.backOffMaxRetries.default,
		backOffPolicy: draft.backOffPolicy ?? MQTT3_FIELDS.backOffPolicy.default,
		...settleIntervals(draft, problems),
		onRetriesExhausted: draft.onRetriesExhausted ?? whenExhausted,
		...(deadLetter && { deadLetter }),
		dropOn,
		deadLetterOn,
	};
}

function settleIntervals(
	draft: Draft,
	problems: Problems,
): Pick<Mqtt3Settings, "backOffIntervalMs" | "backOffMaxIntervalMs"> {
	const backOffIntervalMs = draft.backOffIntervalMs ?? MQTT3_FIELDS.backOffInterval.default;
	const atMost = draft.backOffMaxIntervalMs;
	if (atMost !== undefined && atMost < backOffIntervalMs) {
		problems.add(
			"backOffMaxInterval",
			`${formatDuration(atMost)} is shorter than backOffInterval: expected at least ${formatDuration(backOffIntervalMs)}`,
		);
	}
	return {
		backOffIntervalMs,
		backOffMaxIntervalMs: atMost ?? Math.max(backOffIntervalMs, MQTT3_FIELDS.backOffMaxInterval.default),
	};
}

function settleDeadLetter(
	draft: Draft,
	filters: readonly string[],
	problems: Problems,
): DeadLetterSettings | undefined {
	const { deadLetterTopic: topic, deadLetterFormat: format = MQTT3_FIELDS.deadLetterFormat.default } = draft;
	if (topic === undefined) {
		if (problems.concerns("deadLetterTopic")) return undefined;
		const needing = [
			draft.onRetriesExhausted === "deadLetter" && "onRetriesExhausted",
			draft.deadLetterFormat !== undefined && "deadLetterFormat",
			draft.deadLetterOn !== undefined && "deadLetterOn",
		];
		for (const field of needing) if (field) problems.add(field, "needs deadLetterTopic, which is missing");
		return undefined;
	}
	const reason = publishTopicProblem(topic) ?? whyItComesBack(topic, format, filters);
	if (reason !== undefined) problems.add("deadLetterTopic", `${quote(topic)} ${reason}`);
	return { topic, format };
}

/** A dead letter that this input would read again and refuse again. */
function whyItComesBack(topic: string, format: "json" | "raw", filters: readonly string[]): string | undefined {
	const own = filters.find((filter) =>
		format === "raw" ? overlap(stripShare(filter), `${topic}/#`) : matches(stripShare(filter), topic),
	);
	if (own === undefined) return undefined;
	const where = format === "raw" ? " or topics below it (deadLetterFormat: raw)" : "";
	return `is read by this input: the filter ${quote(own)} matches it${where}, expected a topic that no filter of its own matches`;
}
