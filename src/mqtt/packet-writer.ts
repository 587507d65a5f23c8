import { encode, publishSize, writeAck, writePublishHeader } from "./encode.js";
import type { OutboundPublish } from "./outbound.js";
import type { Packet } from "./packet.js";
import type { SessionSink } from "./session.js";

const BLOCK_SIZE = 64 * 1024;
/** Payloads beyond it are handed to the socket as they are; smaller ones are cheaper copied. */
const COPY_AT_MOST = 16 * 1024;

/** Collects the packets of one turn of the event loop and writes them as few buffers. */
export class PacketWriter implements SessionSink {
	readonly #write: (bytes: Buffer) => boolean;
	/** The socket keeps what was written of it, so a block is used up once and then left to the collector. */
	#block: Buffer;
	#start = 0;
	#end = 0;

	/** `write` returns false when the socket is full. */
	constructor(write: (bytes: Buffer) => boolean) {
		this.#write = write;
		this.#block = Buffer.allocUnsafeSlow(BLOCK_SIZE);
	}

	ack(type: "pubAck" | "pubRec" | "pubRel" | "pubComp", packetId: number): boolean {
		const takesMore = this.#reserve(4);
		this.#end = writeAck(this.#block, this.#end, type, packetId);
		return takesMore;
	}

	/** The payload must not be changed before the publish is settled. */
	publish(publish: OutboundPublish): boolean {
		const { topic, topicLength, payload, packetId, qos, retain, dup } = publish;
		const size = publishSize(topicLength, payload.length, qos);
		const copies = payload.length <= COPY_AT_MOST;
		let takesMore = this.#reserve(copies ? size : size - payload.length);
		this.#end = writePublishHeader(
			this.#block,
			this.#end,
			topic,
			topicLength,
			payload.length,
			packetId,
			qos,
			retain,
			dup,
		);
		if (copies) {
			this.#block.set(payload, this.#end);
			this.#end += payload.length;
		} else {
			this.flush();
			takesMore = this.#write(Buffer.from(payload.buffer, payload.byteOffset, payload.length));
		}
		return takesMore;
	}

	/** Any packet; for those that are rare. */
	packet(packet: Packet): boolean {
		this.flush();
		return this.#write(encode(packet));
	}

	/** Hands everything over. False when the socket is full. */
	flush(): boolean {
		if (this.#start === this.#end) return true;
		const bytes = this.#block.subarray(this.#start, this.#end);
		this.#start = this.#end;
		return this.#write(bytes);
	}

	/** Room for `size` bytes; false when the bytes before it had to be written and filled the socket. */
	#reserve(size: number): boolean {
		if (this.#end + size <= this.#block.length) return true;
		const takesMore = this.flush();
		this.#block = Buffer.allocUnsafeSlow(Math.max(BLOCK_SIZE, size));
		this.#start = 0;
		this.#end = 0;
		return takesMore;
	}
}
