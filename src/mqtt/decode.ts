import { MqttProtocolError } from "../errors.js";
import { decodeControl } from "./decode-control.js";
import { checkFirstByte, fixedLength, lengthError, PACKET_NAMES, SENT_BY } from "./fixed-header.js";
import { HeadBuffer } from "./head-buffer.js";
import { PACKET_TYPE, type Packet, type PublishPacket, type QoS } from "./packet.js";
import { TopicCache } from "./topic-cache.js";

/** What is known of a PUBLISH before its payload. */
export interface PublishHeader {
	readonly topic: string;
	readonly qos: QoS;
	readonly retain: boolean;
	readonly dup: boolean;
	/** 0 with QoS 0. */
	readonly packetId: number;
	/** In bytes. */
	readonly payloadSize: number;
}

export interface DecoderOptions {
	/** Whose packets these are: a client reads those from the `server`, a server those from the `client`. */
	readonly from: "server" | "client" | "any";
	/** Called for each whole packet, in order, from within push(). */
	readonly onPacket: (packet: Packet) => void;
	/** Asked once per PUBLISH as soon as its variable header is complete; false: its payload is skipped while reading, never buffered. Absent: always kept. */
	readonly admit?: (header: PublishHeader) => boolean;
	/** Largest Remaining Length of a packet other than PUBLISH, in bytes; default 1 MiB. */
	readonly maxControlPacketSize?: number;
}

/** A PUBLISH under way: complete but for its payload. */
type Incoming = { -readonly [K in keyof PublishPacket]: PublishPacket[K] };

const NO_PAYLOAD = Buffer.alloc(0);

/**
 * Turns a stream of bytes into packets, however it is cut into chunks. The payload of a PUBLISH that lies whole in one
 * chunk is a view of that chunk; one that spans chunks has memory of its own.
 */
export class Decoder {
	readonly #onPacket: (packet: Packet) => void;
	readonly #admit: ((header: PublishHeader) => boolean) | undefined;
	readonly #legalTypes: number;
	readonly #maxControlPacketSize: number;
	readonly #topics = new TopicCache();
	/** Bytes of a packet whose rest, up to #needed of them, has not arrived. */
	readonly #head = new HeadBuffer();
	#needed = 0;
	/** A PUBLISH whose payload has not arrived whole, and how much of it has. */
	#incoming: Incoming | undefined;
	#received = 0;
	/** How far the chunk at hand is read. */
	#position = 0;
	#hasEnded = false;
	#error: MqttProtocolError | undefined;

	constructor({ from, onPacket, admit, maxControlPacketSize = 1_048_576 }: DecoderOptions) {
		this.#onPacket = onPacket;
		this.#admit = admit;
		this.#legalTypes = SENT_BY[from];
		this.#maxControlPacketSize = maxControlPacketSize;
	}

	/**
	 * Takes bytes and reports every packet that they complete. Returns the error that ended decoding, also on every later
	 * call, whose bytes are ignored [MQTT-4.8.0-1]. Throws only what a callback throws, which ends decoding too.
	 */
	push(chunk: Buffer): MqttProtocolError | undefined {
		if (this.#hasEnded) return this.#error;
		this.#position = 0;
		let isRead = false;
		try {
			for (;;) {
				const packet = this.#next(chunk);
				if (packet === undefined || this.#hasEnded) break;
				this.#onPacket(packet);
				if (this.#hasEnded) break;
			}
			isRead = true;
		} finally {
			if (!isRead) this.stop();
		}
		return this.#error;
	}

	/** No further packet is reported, also not of the chunk at hand. Idempotent. */
	stop(): void {
		this.#hasEnded = true;
		this.#incoming = undefined;
		this.#head.clear();
	}

	#next(chunk: Buffer): Packet | undefined {
		try {
			if (this.#incoming === undefined) {
				const packet = this.#head.length === 0 ? this.#readWhole(chunk) : this.#readSplit(chunk);
				if (packet !== undefined || this.#incoming === undefined) return packet;
			}
			return this.#readPayload(chunk, this.#incoming);
		} catch (error) {
			if (!(error instanceof MqttProtocolError)) throw error;
			this.#error = error;
			this.stop();
			return undefined;
		}
	}

	/** The next packet, beginning in this chunk. */
	#readWhole(chunk: Buffer): Packet | undefined {
		const start = this.#position;
		const end = chunk.length;
		if (start === end) return undefined;
		const packet = this.#parse(chunk, start, end);
		if (packet === undefined && this.#incoming === undefined) {
			this.#head.append(chunk, start, end);
			this.#position = end;
		}
		return packet;
	}

	/** The packet that began in an earlier chunk. Takes from this one just what the head lacks, so that the head holds no byte of a payload or of the next packet. */
	#readSplit(chunk: Buffer): Packet | undefined {
		const head = this.#head;
		let position = 0;
		let packet: Packet | undefined;
		while (packet === undefined && this.#incoming === undefined) {
			const end = Math.min(chunk.length, position + this.#needed - head.length);
			head.append(chunk, position, end);
			position = end;
			if (head.length < this.#needed) break;
			packet = this.#parse(head.bytes, 0, head.length);
		}
		if (packet !== undefined || this.#incoming !== undefined) head.clear();
		this.#position = position;
		return packet;
	}

	/** Reads one packet up to its end or to its PUBLISH payload, and sets #position there. Undefined: #needed or #incoming says what it waits for. */
	#parse(bytes: Buffer, start: number, end: number): Packet | undefined {
		const first = bytes[start]!;
		checkFirstByte(first, this.#legalTypes);
		let at = start + 1;
		let remaining = 0;
		for (let shift = 0; ; shift += 7) {
			if (shift === 28) throw new MqttProtocolError("2.2.3", "remaining length of more than 4 bytes");
			if (at === end) return this.#waitFor(at + 1 - start);
			const byte = bytes[at++]!;
			remaining |= (byte & 0x7f) << shift;
			if (byte < 0x80) break;
		}
		const type = first >> 4;
		if (type === PACKET_TYPE.publish) return this.#parsePublish(bytes, start, end, at, remaining);
		this.#checkControlLength(type, remaining);
		if (remaining > end - at) return this.#waitFor(at - start + remaining);
		this.#position = at + remaining;
		return decodeControl(type, bytes, at, at + remaining);
	}

	#checkControlLength(type: number, remaining: number): void {
		const fixed = fixedLength(type);
		if (fixed !== undefined && remaining !== fixed) {
			throw lengthError(type, `with remaining length ${remaining} instead of ${fixed}`);
		}
		if (remaining > this.#maxControlPacketSize) {
			const limit = `our limit of ${this.#maxControlPacketSize}`;
			throw new MqttProtocolError("2.2.3", `${PACKET_NAMES[type]} with remaining length ${remaining}, over ${limit}`);
		}
	}

	#parsePublish(bytes: Buffer, start: number, end: number, body: number, remaining: number): Packet | undefined {
		const first = bytes[start]!;
		const qos = ((first >> 1) & 0x03) as QoS;
		const idSize = qos === 0 ? 0 : 2; // [MQTT-2.3.1-5]
		if (remaining < 2) throw lengthError(PACKET_TYPE.publish, `with remaining length ${remaining}`);
		// [MQTT-3.3.2-1] The topic comes first.
		if (end - body < 2) return this.#waitFor(body - start + 2);
		const topicEnd = body + 2 + ((bytes[body]! << 8) | bytes[body + 1]!);
		const payloadStart = topicEnd + idSize;
		const payloadSize = remaining - (payloadStart - body);
		if (payloadSize < 0)
			throw lengthError(PACKET_TYPE.publish, `with remaining length ${remaining} ends within its topic`);
		if (payloadStart > end) return this.#waitFor(payloadStart - start);

		const topic = this.#topics.read(bytes, body + 2, topicEnd);
		let packetId = 0;
		if (idSize !== 0) {
			packetId = (bytes[topicEnd]! << 8) | bytes[topicEnd + 1]!;
			if (packetId === 0) throw new MqttProtocolError("MQTT-2.3.1-1", "PUBLISH with packet identifier 0");
		}
		const packet: Incoming = {
			type: "publish",
			topic,
			payload: NO_PAYLOAD,
			qos,
			retain: (first & 0x01) !== 0,
			dup: (first & 0x08) !== 0,
			packetId,
			payloadSize,
			skipped: false,
		};
		if (this.#admit !== undefined && !this.#admit(packet)) packet.skipped = true;
		const payloadEnd = payloadStart + payloadSize;
		if (payloadEnd > end) {
			this.#incoming = packet;
			this.#received = 0;
			this.#position = payloadStart;
			return undefined;
		}
		if (!packet.skipped && payloadSize > 0) packet.payload = bytes.subarray(payloadStart, payloadEnd);
		this.#position = payloadEnd;
		return packet;
	}

	#readPayload(chunk: Buffer, packet: Incoming): Packet | undefined {
		const start = this.#position;
		const end = Math.min(chunk.length, start + packet.payloadSize - this.#received);
		if (start === end) return undefined;
		if (end - start === packet.payloadSize) {
			if (!packet.skipped) packet.payload = chunk.subarray(start, end);
		} else if (!packet.skipped) {
			if (this.#received === 0) packet.payload = Buffer.allocUnsafeSlow(packet.payloadSize);
			chunk.copy(packet.payload, this.#received, start, end);
		}
		this.#received += end - start;
		this.#position = end;
		if (this.#received < packet.payloadSize) return undefined;
		this.#incoming = undefined;
		return packet;
	}

	#waitFor(bytes: number): undefined {
		this.#needed = bytes;
		return undefined;
	}
}
