import type { ReadResponse } from "../bindings/binding.js";

const visibleAscii = /^[!-~]*$/;
const withoutControls = /^[ -~\u0080-\uffff]*$/;

/** The metadata that an app may see as a header of the same name, beside `topic`. */
const optionalNames = ["retained", "duplicate", "qos", "attempt"] as const;

const maxCachedTopics = 1_024;
const maxCachedTopicLength = 512;

/** What to send as `topic`, and as `topic-percent` where the plain form could be misread. */
export interface TopicHeaders {
	/** Visible ASCII as it is; else the UTF-8 bytes, one per character; percent-encoded if it holds control characters. */
	readonly topic: string;
	/** Percent-encoded UTF-8, decodable without loss. Absent where `topic` is the topic itself. */
	readonly percent?: string;
}

/** Percent-encodes the UTF-8 form of `text`; slashes stay. The result is visible ASCII; `decodeURIComponent` gives back any well-formed text. */
export function percentEncode(text: string): string {
	// By way of bytes: encodeURIComponent throws on a lone surrogate.
	return encodeURIComponent(Buffer.from(text).toString()).replaceAll("%2F", "/");
}

/** The headers that carry one topic. */
export function topicHeaders(topic: string): TopicHeaders {
	if (visibleAscii.test(topic)) return { topic };
	return { topic: headerValue(topic), percent: percentEncode(topic) };
}

/** A value that HTTP can carry: its UTF-8 bytes, one per character, or percent-encoded if it holds control characters. */
function headerValue(text: string): string {
	return withoutControls.test(text) ? Buffer.from(text).toString("latin1") : percentEncode(text);
}

/** True when a token can be sent as a header exactly as it is. */
export function isHeaderToken(token: string): boolean {
	return visibleAscii.test(token);
}

/**
 * Makes the headers of one event as names and values in turn: `content-type`, `topic`, the app's token, and the metadata that says something.
 * Nothing else in the metadata becomes a header. Answers are kept for the last 1,024 topics; they must not be changed.
 */
export class EventHeaders {
	readonly #token: readonly string[];
	readonly #cache = new Map<string, { readonly contentType: string; readonly headers: readonly string[] }>();

	constructor(appToken?: string) {
		this.#token = appToken === undefined ? [] : ["dapr-api-token", appToken];
	}

	/** The headers for an event. */
	of({ contentType, metadata }: Pick<ReadResponse, "contentType" | "metadata">): readonly string[] {
		const base = this.#base(contentType, metadata.topic);
		let headers: string[] | undefined;
		for (const name of optionalNames) {
			const value = metadata[name];
			if (value === undefined) continue;
			headers ??= [...base];
			headers.push(name, headerValue(value));
		}
		return headers ?? base;
	}

	#base(contentType: string, topic: string | undefined): readonly string[] {
		if (topic === undefined) return this.#build(contentType, undefined);
		const cached = this.#cache.get(topic);
		if (cached?.contentType === contentType) return cached.headers;
		const headers = this.#build(contentType, topic);
		if (topic.length <= maxCachedTopicLength) this.#keep(topic, contentType, headers);
		return headers;
	}

	#build(contentType: string, topic: string | undefined): readonly string[] {
		const headers = ["content-type", headerValue(contentType)];
		if (topic !== undefined) {
			const encoded = topicHeaders(topic);
			headers.push("topic", encoded.topic);
			if (encoded.percent !== undefined) headers.push("topic-percent", encoded.percent);
		}
		headers.push(...this.#token);
		return headers;
	}

	#keep(topic: string, contentType: string, headers: readonly string[]): void {
		if (this.#cache.size >= maxCachedTopics) {
			for (const oldest of this.#cache.keys()) {
				this.#cache.delete(oldest);
				break;
			}
		}
		this.#cache.set(topic, { contentType, headers });
	}
}
