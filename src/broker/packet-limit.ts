/** Follows the packet boundaries in a byte stream and tells when a packet announces more than it may; keeps no bytes. */
export class PacketLimit {
	readonly #later: number;
	#limit: number;
	/** What the next byte is: a packet's first one, a byte of its Remaining Length, or a byte of its body. */
	#state: "type" | "length" | "body" = "type";
	#length = 0;
	#shift = 0;

	/** @param first limit in bytes of the first packet's Remaining Length. @param later the same for all others. */
	constructor(first: number, later: number) {
		this.#later = later;
		this.#limit = first;
	}

	/** Takes in the next bytes; false as soon as a packet is too long or its length is no length. */
	admit(chunk: Uint8Array): boolean {
		let at = 0;
		while (at < chunk.length) {
			if (this.#state === "body") {
				const taken = Math.min(this.#length, chunk.length - at);
				at += taken;
				this.#length -= taken;
				if (this.#length === 0) this.#nextPacket();
			} else if (this.#state === "type") {
				this.#state = "length";
				this.#length = 0;
				this.#shift = 0;
				at++;
			} else {
				const byte = chunk[at++]!;
				this.#length += (byte & 0x7f) << this.#shift;
				this.#shift += 7;
				// [MQTT-2.2.3]: at most four bytes.
				if (this.#length > this.#limit || (byte >= 0x80 && this.#shift === 28)) return false;
				if (byte < 0x80) {
					if (this.#length === 0) this.#nextPacket();
					else this.#state = "body";
				}
			}
		}
		return true;
	}

	#nextPacket(): void {
		this.#state = "type";
		this.#limit = this.#later;
	}
}
