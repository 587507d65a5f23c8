import { MqttProtocolError } from "../errors.js";
import { hasWildcards, publishTopicFault } from "./topic.js";
import { decodeUtf8 } from "./utf8.js";

const SLOTS = 1_024;
const SLOT_BYTES = 128;

/** Turns the Topic Name bytes of PUBLISH packets into strings, the same bytes into the same string without decoding them again. Bounded: 1,024 topics of up to 128 bytes; a new topic takes the place of an old one. */
export class TopicCache {
	/** Each slot's bytes side by side: replacing a topic allocates nothing but its string. */
	readonly #bytes = Buffer.allocUnsafeSlow(SLOTS * SLOT_BYTES);
	/** 0: the slot is free, as no topic is empty. */
	readonly #lengths = new Uint16Array(SLOTS);
	readonly #topics: string[] = new Array<string>(SLOTS).fill("");

	/** Throws MqttProtocolError when the bytes are no Topic Name. Only valid topics are kept, so that a hit needs no check. */
	read(source: Buffer, start: number, end: number): string {
		const length = end - start;
		if (length === 0 || length > SLOT_BYTES) return decodeTopic(source, start, end);
		const slot = slotOf(source, start, end);
		if (this.#lengths[slot] === length && this.#holds(slot, source, start, length)) return this.#topics[slot]!;
		const topic = decodeTopic(source, start, end);
		source.copy(this.#bytes, slot * SLOT_BYTES, start, end);
		this.#lengths[slot] = length;
		this.#topics[slot] = topic;
		return topic;
	}

	#holds(slot: number, source: Buffer, start: number, length: number): boolean {
		const bytes = this.#bytes;
		const base = slot * SLOT_BYTES;
		for (let i = 0; i < length; i++) {
			if (bytes[base + i] !== source[start + i]) return false;
		}
		return true;
	}
}

/** A hash without a secret: who forces collisions gains only that topics are decoded each time. */
function slotOf(source: Buffer, start: number, end: number): number {
	let hash = end - start;
	for (let i = start; i < end; i++) hash = Math.imul(hash ^ source[i]!, 0x01000193);
	return (hash ^ (hash >>> 15)) & (SLOTS - 1);
}

function decodeTopic(source: Buffer, start: number, end: number): string {
	const topic = decodeUtf8(source, start, end, "PUBLISH topic");
	// Well-formed, without U+0000 and short enough it is by now: the other rules need not be asked.
	if (topic !== "" && !hasWildcards(topic)) return topic;
	const fault = publishTopicFault(topic)!;
	throw new MqttProtocolError(fault.clause, `PUBLISH topic ${fault.reason}`);
}
