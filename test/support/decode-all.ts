import type { MqttProtocolError } from "../../src/errors.js";
import { Decoder, type DecoderOptions } from "../../src/mqtt/decode.js";
import type { Packet } from "../../src/mqtt/packet.js";

/** Feeds chunks to a decoder of its own; payloads are copied at once, as the caller may reuse a chunk. */
export function decodeAll(
	chunks: readonly Uint8Array[],
	options: Partial<DecoderOptions> = {},
): { readonly packets: readonly Packet[]; readonly error: MqttProtocolError | undefined } {
	const packets: Packet[] = [];
	const decoder = new Decoder({
		from: "any",
		onPacket: (packet) => {
			packets.push(packet.type === "publish" ? { ...packet, payload: Buffer.from(packet.payload) } : packet);
		},
		...options,
	});
	let error: MqttProtocolError | undefined;
	for (const chunk of chunks) error = decoder.push(Buffer.from(chunk));
	return { packets, error };
}

/** Each byte a chunk. */
export function byteByByte(bytes: Uint8Array): Buffer[] {
	return Array.from(bytes, (byte) => Buffer.of(byte));
}
