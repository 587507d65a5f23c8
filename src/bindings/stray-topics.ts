import { matches, stripShare } from "../mqtt/topic.js";

/** Topics that are known to match, and the longest of them: longer ones are matched each time. */
const KNOWN_TOPICS = 4_096;
const KNOWN_LENGTH = 256;
const NAMED_AT_MOST = 20;

/** Notices topics that none of our filters match: a stale subscription, or a broker that rewrites topics. */
export class StrayTopics {
	readonly #filters: readonly string[];
	readonly #left: readonly string[];
	readonly #matching = new Set<string>();
	readonly #named = new Set<string>();
	#count = 0;

	/** Filters as subscribed to, and those that were left; share prefixes are removed. */
	constructor(filters: readonly string[], left: readonly string[] = []) {
		this.#filters = filters.map(stripShare);
		this.#left = left.map(stripShare);
	}

	/** Messages that matched no filter. */
	get count(): number {
		return this.#count;
	}

	/** `left`: only filters that we have left match it; `new`: the first message of a stray topic, worth a warning; `more`: one of many; `undefined`: a topic of ours. */
	check(topic: string): "left" | "new" | "more" | undefined {
		if (this.#matching.has(topic)) return undefined;
		if (this.#filters.some((filter) => matches(filter, topic))) {
			if (topic.length > KNOWN_LENGTH) return undefined;
			if (this.#matching.size >= KNOWN_TOPICS) this.#matching.clear();
			this.#matching.add(topic);
			return undefined;
		}
		if (this.#left.some((filter) => matches(filter, topic))) return "left";
		this.#count++;
		if (this.#named.has(topic) || this.#named.size >= NAMED_AT_MOST) return "more";
		this.#named.add(topic);
		return "new";
	}
}
