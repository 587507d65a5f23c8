import { checkTopicFilter, parseSharedFilter } from "../mqtt/topic.js";
import type { Mqtt3Settings } from "./mqtt3-options.js";
import type { Draft } from "./mqtt3-settings.js";
import type { Problems } from "./problems.js";
import { quote } from "./quote.js";

/** What the input subscribes to and what it leaves. */
export function settleFilters(
	draft: Draft,
	problems: Problems,
): Pick<Mqtt3Settings, "filters" | "unsubscribe" | "leaveGroupOnStop"> {
	const wanted = [...(draft.topic === undefined ? [] : [draft.topic]), ...(draft.topics ?? [])];
	check("topic", draft.topic === undefined ? [] : [draft.topic], problems);
	check("topics", draft.topics ?? [], problems);
	check("unsubscribe", draft.unsubscribe ?? [], problems);
	const filters = [...new Set(inGroup(draft.consumerGroup, wanted, problems))];
	for (const filter of draft.unsubscribe ?? []) {
		if (filters.includes(filter)) {
			problems.add(
				"unsubscribe",
				`${quote(filter)} is what the input subscribes to: name only filters that it no longer has`,
			);
		}
	}
	const leaveGroupOnStop = draft.leaveGroupOnStop ?? false;
	if (leaveGroupOnStop && !filters.some((filter) => parseSharedFilter(filter) !== undefined)) {
		problems.add(
			"leaveGroupOnStop",
			"true without a group: nobody else would get the messages, expected consumerGroup or a topic of the form $share/<group>/<filter>",
		);
	}
	return { filters, unsubscribe: [...new Set(draft.unsubscribe ?? [])], leaveGroupOnStop };
}

function check(field: string, filters: readonly string[], problems: Problems): void {
	for (const filter of filters) {
		const reason = checkTopicFilter(filter);
		if (reason !== undefined) problems.add(field, `${quote(filter)} ${reason}`);
	}
}

function inGroup(group: string | undefined, filters: readonly string[], problems: Problems): readonly string[] {
	if (group === undefined) return filters;
	if (/[/+#\0]/.test(group)) {
		problems.add("consumerGroup", `${quote(group)} is not a group: expected a name without /, + and #`);
		return filters;
	}
	const shared = filters.find((filter) => filter.startsWith("$share/"));
	if (shared !== undefined) {
		problems.add("consumerGroup", `stands beside ${quote(shared)}, which names a group of its own: give it once`);
		return filters;
	}
	return filters.map((filter) => {
		const shared = `$share/${group}/${filter}`;
		const reason = checkTopicFilter(shared);
		if (reason !== undefined && checkTopicFilter(filter) === undefined)
			problems.add("consumerGroup", `${quote(shared)} ${reason}`);
		return shared;
	});
}
