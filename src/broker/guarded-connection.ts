import { Duplex } from "node:stream";
import { PacketLimit } from "./packet-limit.js";

const CONNECT_LIMIT = 64 * 1024;
const PACKET_LIMIT = 5 * 1024 * 1024;

type Done = (error?: Error | null) => void;

/** A connection as the broker sees it: the peer's bytes, cut off where a packet is longer than we take. */
export class GuardedConnection extends Duplex {
	readonly #peer: Duplex;
	readonly #limit = new PacketLimit(CONNECT_LIMIT, PACKET_LIMIT);

	/** Takes over `peer`: reads it, writes it, destroys it. */
	constructor(peer: Duplex) {
		super();
		this.#peer = peer;
		peer.on("data", (chunk: Buffer) => {
			if (!this.#limit.admit(chunk)) this.destroy(new Error("packet too long"));
			else if (!this.push(chunk)) peer.pause();
		});
		peer.on("end", () => this.push(null));
		peer.on("error", (error) => this.destroy(error));
		peer.on("close", () => this.destroy());
	}

	override _read(): void {
		this.#peer.resume();
	}

	override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
		this.#peer.write(chunk, done);
	}

	override _writev(chunks: readonly { readonly chunk: Buffer }[], done: Done): void {
		this.#peer.cork();
		chunks.forEach(({ chunk }, index) => {
			this.#peer.write(chunk, index === chunks.length - 1 ? done : undefined);
		});
		this.#peer.uncork();
	}

	override _final(done: Done): void {
		this.#peer.end(done);
	}

	override _destroy(error: Error | null, done: Done): void {
		this.#peer.destroy();
		done(error);
	}
}
