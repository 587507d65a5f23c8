import type { Mqtt3Settings } from "./mqtt3-options.js";

/** Filters that are left at each connect; the first ones count. */
const MAX_LEFT = 1_024;

/** What `settings` names in `unsubscribe`, and what inputs of the same session, which it replaces, had and it has no more. */
export function filtersToLeave(settings: Mqtt3Settings, replaced: readonly Mqtt3Settings[]): readonly string[] {
	const givenUp = replaced
		.filter((before) => haveOneSession(settings, before))
		.flatMap(({ filters, unsubscribe }) => [...filters, ...unsubscribe])
		.filter((filter) => !settings.filters.includes(filter));
	return [...new Set([...settings.unsubscribe, ...givenUp])].slice(0, MAX_LEFT);
}

function haveOneSession(one: Mqtt3Settings, other: Mqtt3Settings): boolean {
	if (one.clientId !== other.clientId || one.splitConnections !== other.splitConnections) return false;
	const brokers = new Set(one.brokers.map(({ href }) => href));
	return other.brokers.some(({ href }) => brokers.has(href));
}
