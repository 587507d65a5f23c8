import { type Fault, isTooLong, MAX_FIELD_BYTES, stringFault } from "./utf8.js";

const DOLLAR = 0x24;
const HASH = 0x23;
const PLUS = 0x2b;
const SLASH = 0x2f;
/** An agreement among brokers, not of the standard: used only where a filter asks for it [MQTT-7.0.0-2]. */
const SHARE = "$share/";

const EMPTY: Fault = { clause: "MQTT-4.7.3-1", reason: "is empty" };
const TOO_LONG: Fault = { clause: "MQTT-4.7.3-3", reason: `is longer than ${MAX_FIELD_BYTES} bytes in UTF-8` };
const WILDCARD: Fault = { clause: "MQTT-4.7.1-1", reason: "holds a wildcard, + or #" };
const PUBLISHED_WILDCARD: Fault = { ...WILDCARD, clause: "MQTT-3.3.2-2" };
const HASH_NOT_LAST: Fault = { clause: "MQTT-4.7.1-2", reason: "holds a # that is not its last level" };
const PLUS_IN_LEVEL: Fault = { clause: "MQTT-4.7.1-3", reason: "holds a + that does not fill a level" };

/** Whether a Topic Filter matches more than one topic by a wildcard. */
export function hasWildcards(filter: string): boolean {
	return filter.includes("+") || filter.includes("#");
}

/** Why a string is no Topic Name, with the statement; undefined when it is one. */
export function topicNameFault(topic: string): Fault | undefined {
	return topicFault(topic) ?? (hasWildcards(topic) ? WILDCARD : undefined); // [MQTT-4.7.1-1]
}

/** Like topicNameFault, with the statement that forbids wildcards in PUBLISH [MQTT-3.3.2-2]. */
export function publishTopicFault(topic: string): Fault | undefined {
	const fault = topicNameFault(topic);
	return fault === WILDCARD ? PUBLISHED_WILDCARD : fault;
}

/** Why a string is no Topic Filter, with the statement; undefined when it is one. A `$share/` prefix is not looked at: MQTT 3.1.1 knows none. */
export function topicFilterFault(filter: string): Fault | undefined {
	const fault = topicFault(filter);
	if (fault !== undefined) return fault;
	const last = filter.length - 1;
	for (let i = 0; i <= last; i++) {
		const unit = filter.charCodeAt(i);
		if (unit !== HASH && unit !== PLUS) continue;
		const startsLevel = i === 0 || filter.charCodeAt(i - 1) === SLASH;
		const endsLevel = i === last || filter.charCodeAt(i + 1) === SLASH;
		if (unit === HASH && !(startsLevel && i === last)) return HASH_NOT_LAST; // [MQTT-4.7.1-2]
		if (unit === PLUS && !(startsLevel && endsLevel)) return PLUS_IN_LEVEL; // [MQTT-4.7.1-3]
	}
	return undefined;
}

/** Says in words why a string is no Topic Name, as a predicate (`is empty`); undefined when it is one. */
export function checkTopicName(topic: string): string | undefined {
	return topicNameFault(topic)?.reason;
}

/** Says in words why a string is no Topic Filter, as a predicate; undefined when it is one. One that begins with `$share/` must be `$share/<group>/<filter>`. */
export function checkTopicFilter(filter: string): string | undefined {
	const fault = topicFilterFault(filter);
	if (fault !== undefined) return fault.reason;
	if (!filter.startsWith(SHARE) || parseSharedFilter(filter) !== undefined) return undefined;
	return "is no shared subscription, $share/<group>/<filter> with a group without + and #";
}

/** Takes `$share/<group>/<filter>` apart; undefined when the filter is not of that form. The inner filter's wildcards are not checked. */
export function parseSharedFilter(filter: string): { readonly group: string; readonly filter: string } | undefined {
	if (!filter.startsWith(SHARE)) return undefined;
	const end = filter.indexOf("/", SHARE.length);
	if (end <= SHARE.length || end === filter.length - 1) return undefined;
	const group = filter.slice(SHARE.length, end);
	if (group.includes("+") || group.includes("#")) return undefined;
	return { group, filter: filter.slice(end + 1) };
}

/** The filter that topics are matched with: without `$share/<group>/`, where it has that. */
export function stripShare(filter: string): string {
	return parseSharedFilter(filter)?.filter ?? filter;
}

/** Whether a valid Topic Filter, stripped of `$share/<group>/`, matches a valid Topic Name. One pass, no allocation. */
export function matches(filter: string, topic: string): boolean {
	const filterEnd = filter.length;
	const topicEnd = topic.length;
	const first = filter.charCodeAt(0);
	// [MQTT-4.7.2-1] `$SYS/...` is only for those who ask for it by name.
	if ((first === HASH || first === PLUS) && topic.charCodeAt(0) === DOLLAR) return false;
	let t = 0;
	for (let f = 0; f < filterEnd; f++) {
		const unit = filter.charCodeAt(f);
		if (unit === HASH) return true;
		if (unit === PLUS) {
			while (t < topicEnd && topic.charCodeAt(t) !== SLASH) t++;
		} else if (t < topicEnd && topic.charCodeAt(t) === unit) {
			t++;
		} else {
			// `a/#` matches `a` as well (4.7.1.2).
			return t === topicEnd && unit === SLASH && filter.charCodeAt(f + 1) === HASH;
		}
	}
	return t === topicEnd;
}

/** Whether some Topic Name is matched by both of two valid Topic Filters, stripped of `$share/<group>/`. */
export function overlap(one: string, other: string): boolean {
	const a = one.split("/");
	const b = other.split("/");
	// [MQTT-4.7.2-1]
	if ((isWildcard(a[0]!) && b[0]!.startsWith("$")) || (isWildcard(b[0]!) && a[0]!.startsWith("$"))) return false;
	for (let level = 0; ; level++) {
		const [mine, yours] = [a[level], b[level]];
		if (mine === "#" || yours === "#" || (mine === undefined && yours === undefined)) return true;
		if (mine === undefined || yours === undefined) return false;
		if (mine !== yours && mine !== "+" && yours !== "+") return false;
	}
}

function isWildcard(level: string): boolean {
	return level === "+" || level === "#";
}

/** The rules that names and filters share. U+0000 [MQTT-4.7.3-2] and surrogates are those of every string. */
function topicFault(text: string): Fault | undefined {
	if (text.length === 0) return EMPTY; // [MQTT-4.7.3-1]
	if (isTooLong(text)) return TOO_LONG; // [MQTT-4.7.3-3]
	return stringFault(text);
}
