/** The names of the packet types, by number (2.2.1). */
const TYPES = [
	"reserved",
	"connect",
	"connack",
	"publish",
	"puback",
	"pubrec",
	"pubrel",
	"pubcomp",
	"subscribe",
	"suback",
	"unsubscribe",
	"unsuback",
	"pingreq",
	"pingresp",
	"disconnect",
] as const;

export type WirePacketType = (typeof TYPES)[number];

/** A packet as it went over the wire, read by code of the tests' own. */
export interface WirePacket {
	readonly type: WirePacketType;
	/** Packet Identifier, where the type has one. */
	readonly id?: number;
	readonly qos?: number;
	readonly dup?: boolean;
	readonly retain?: boolean;
	readonly topic?: string;
	/** Of a PUBLISH: its payload as Latin-1, the first 256 bytes. */
	readonly payload?: string;
	/** Of a CONNACK. */
	readonly sessionPresent?: boolean;
	/** Of a CONNACK, and the first of a SUBACK. */
	readonly code?: number;
}

/** Cuts a stream into packets; what is no packet any more passes through as one last piece without a type. */
export class WireReader {
	#rest: Buffer = Buffer.alloc(0);

	/** The whole packets that end in this chunk, each with its bytes. */
	take(chunk: Buffer): { readonly bytes: Buffer; readonly packet: WirePacket }[] {
		this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
		const packets = [];
		for (;;) {
			const size = sizeOf(this.#rest);
			if (size === undefined || size > this.#rest.length) return packets;
			const bytes = this.#rest.subarray(0, size);
			this.#rest = this.#rest.subarray(size);
			packets.push({ bytes, packet: readPacket(bytes) });
		}
	}
}

/** The whole size of the packet that begins here; undefined while its length is not there. A fifth length byte is taken as a packet of its own. */
function sizeOf(bytes: Buffer): number | undefined {
	let length = 0;
	for (let at = 1; at <= 4; at++) {
		const digit = bytes[at];
		if (digit === undefined) return undefined;
		length += (digit % 128) * 128 ** (at - 1);
		if (digit < 128) return 1 + at + length;
	}
	return 5;
}

function readPacket(bytes: Buffer): WirePacket {
	const type = TYPES[bytes[0]! >> 4] ?? "reserved";
	let at = 1;
	while (bytes[at++]! >= 128);
	const u16 = (from: number) => (from + 2 <= bytes.length ? bytes.readUInt16BE(from) : -1);
	switch (type) {
		case "publish": {
			const qos = (bytes[0]! >> 1) & 3;
			const end = at + 2 + u16(at);
			const flags = { qos, dup: (bytes[0]! & 8) !== 0, retain: (bytes[0]! & 1) !== 0 };
			const payload = bytes.toString("latin1", end + (qos > 0 ? 2 : 0)).slice(0, 256);
			return { type, ...flags, topic: bytes.toString("utf8", at + 2, end), payload, ...(qos > 0 && { id: u16(end) }) };
		}
		case "connack":
			return { type, sessionPresent: bytes[at] === 1, code: bytes[at + 1] ?? -1 };
		case "suback":
			return { type, id: u16(at), code: bytes[at + 2] ?? -1 };
		case "puback":
		case "pubrec":
		case "pubrel":
		case "pubcomp":
		case "subscribe":
		case "unsubscribe":
		case "unsuback":
			return { type, id: u16(at) };
		default:
			return { type };
	}
}
