import type { Delivery } from "../mqtt/delivery.js";
import type { Properties } from "./binding.js";

/** Distinct topics whose metadata is kept ready, and the longest of them. */
const CACHED_TOPICS = 1_024;
const CACHED_LENGTH = 256;

/** What an app is told of a message besides its payload: `topic`, and the rest only where it says something. */
export class EventMetadata {
	readonly #plain = new Map<string, Properties>();

	of(delivery: Delivery): Properties {
		const { topic, qos, retain, dup } = delivery.packet;
		if (qos !== 1 || retain || dup || delivery.attempts > 0) {
			return {
				topic,
				...(retain && { retained: "true" }),
				...(dup && { duplicate: "true" }),
				...(qos !== 1 && { qos: String(qos) }),
				...(delivery.attempts > 0 && { attempt: String(delivery.attempts + 1) }),
			};
		}
		let metadata = this.#plain.get(topic);
		if (metadata === undefined) {
			metadata = Object.freeze({ topic });
			if (topic.length > CACHED_LENGTH) return metadata;
			if (this.#plain.size >= CACHED_TOPICS) this.#plain.clear();
			this.#plain.set(topic, metadata);
		}
		return metadata;
	}
}
