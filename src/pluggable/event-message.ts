import type { Properties, ReadResponse } from "../bindings/binding.js";
import type { SizedMessage } from "../grpc/message-batch.js";

/** Field numbers and wire types of dapr.proto.components.v1.ReadResponse, and of its map's entries. */
const DATA = 0x0a;
const METADATA = 0x12;
const CONTENT_TYPE = 0x1a;
const MESSAGE_ID = 0x22;
const KEY = 0x0a;
const VALUE = 0x12;

/** Metadata and content type of events as they stand in their messages. Bindings give the same object again for the same topic. */
export class EventHeads {
	readonly #known = new WeakMap<Properties, Buffer>();
	#contentType = "";
	#contentTypeField: Buffer = Buffer.alloc(0);

	of({ metadata, contentType = "" }: ReadResponse): readonly [metadata: Buffer, contentType: Buffer] {
		let fields = this.#known.get(metadata);
		if (fields === undefined) {
			fields = metadataFields(metadata);
			if (Object.isFrozen(metadata)) this.#known.set(metadata, fields);
		}
		if (contentType !== this.#contentType) {
			this.#contentType = contentType;
			this.#contentTypeField = field(CONTENT_TYPE, Buffer.from(contentType));
		}
		return [fields, this.#contentTypeField];
	}
}

/** One event as a ReadResponse, which is written once, where it is to be: half of a generated encoder's work is to find room. */
export class EventMessage implements SizedMessage {
	readonly size: number;
	readonly #data: Uint8Array;
	readonly #metadata: Buffer;
	readonly #contentType: Buffer;
	readonly #messageId: string;

	/** `messageId`: ASCII, up to 127 characters. */
	constructor(event: ReadResponse, messageId: string, heads: EventHeads) {
		const { data } = event;
		[this.#metadata, this.#contentType] = heads.of(event);
		this.#data = data;
		this.#messageId = messageId;
		const dataBytes = data.length === 0 ? 0 : 1 + lengthBytes(data.length) + data.length;
		this.size = dataBytes + this.#metadata.length + this.#contentType.length + 2 + messageId.length;
	}

	write(target: Buffer, start: number): void {
		let at = start;
		const { length } = this.#data;
		if (length > 0) {
			target[at++] = DATA;
			at = writeLength(target, at, length);
			target.set(this.#data, at);
			at += length;
		}
		target.set(this.#metadata, at);
		at += this.#metadata.length;
		target.set(this.#contentType, at);
		at += this.#contentType.length;
		target[at++] = MESSAGE_ID;
		target[at++] = this.#messageId.length;
		target.write(this.#messageId, at, "latin1");
	}
}

function metadataFields(metadata: Properties): Buffer {
	const entries = Object.entries(metadata).map(([key, value]) =>
		field(METADATA, Buffer.concat([field(KEY, Buffer.from(key)), field(VALUE, Buffer.from(value))])),
	);
	return Buffer.concat(entries);
}

/** Nothing where there is nothing to say: the same for its reader. */
function field(tag: number, bytes: Buffer): Buffer {
	if (bytes.length === 0) return bytes;
	const head = Buffer.alloc(1 + lengthBytes(bytes.length));
	head[0] = tag;
	writeLength(head, 1, bytes.length);
	return Buffer.concat([head, bytes]);
}

/** Of a length as a varint. */
function lengthBytes(length: number): number {
	return length < 0x80 ? 1 : length < 0x4000 ? 2 : length < 0x200000 ? 3 : length < 0x10000000 ? 4 : 5;
}

/** Returns the place behind it. */
function writeLength(target: Buffer, start: number, length: number): number {
	let at = start;
	let rest = length;
	for (; rest > 0x7f; rest >>>= 7) target[at++] = (rest & 0x7f) | 0x80;
	target[at++] = rest;
	return at;
}
