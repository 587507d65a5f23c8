import { connect, type Socket } from "node:net";
import { ProxyPipe, type Shape } from "./proxy-pipe.js";
import type { Direction } from "./wire-history.js";
import { type WirePacket, WireReader } from "./wire-packet.js";

/** What becomes of a packet, and what happens once it was handed to the other side's socket. */
export interface Ruling {
	readonly fate: "forwarded" | "swallowed" | "held";
	readonly after?: (() => void) | undefined;
}

/** What a link asks and tells. */
export interface LinkOptions {
	readonly epoch: number;
	readonly serverPort: number;
	readonly random: () => number;
	/** Without it bytes are passed on unread. */
	readonly rule?: (link: ProxyLink, direction: Direction, packet: WirePacket) => Ruling;
	/** Before a packet that was held is sent on. */
	readonly onRelease: (direction: Direction, packet: WirePacket) => void;
	readonly onClose: (link: ProxyLink) => void;
}

/** A change to the bytes at an offset of one direction's stream. */
interface Edit {
	readonly offset: number;
	readonly apply: (bytes: Buffer, index: number) => Buffer;
	readonly last?: boolean;
}

/** One connection through the proxy: a socket on each side. */
export class ProxyLink {
	readonly epoch: number;
	readonly #sockets: Readonly<Record<Direction, Socket>>;
	readonly #pipes: Readonly<Record<Direction, ProxyPipe>>;
	readonly #held: { readonly direction: Direction; readonly bytes: Buffer; readonly packet: WirePacket }[] = [];
	readonly #onRelease: LinkOptions["onRelease"];
	readonly #edits: Record<Direction, Edit[]> = { "from client": [], "from server": [] };
	readonly #passed: Record<Direction, number> = { "from client": 0, "from server": 0 };
	#closed = false;
	#halted = false;
	/** Ends of a side that the other one is told when the link is whole again. */
	readonly #untold: (() => void)[] = [];

	constructor(client: Socket, { epoch, serverPort, random, rule, onRelease, onClose }: LinkOptions) {
		this.epoch = epoch;
		this.#onRelease = onRelease;
		const server = connect({ port: serverPort, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
		this.#sockets = { "from client": client, "from server": server };
		this.#pipes = {
			"from client": new ProxyPipe(client, server, random),
			"from server": new ProxyPipe(server, client, random),
		};
		for (const direction of ["from client", "from server"] as const) {
			const socket = this.#sockets[direction];
			const reader = new WireReader();
			socket.on("data", (chunk: Buffer) => {
				if (!rule) return this.#forward(direction, chunk);
				for (const { bytes, packet } of reader.take(chunk)) {
					const { fate, after } = rule(this, direction, packet);
					if (fate === "forwarded") this.#forward(direction, bytes, after);
					else if (fate === "held") this.#held.push({ direction, bytes, packet });
					if (fate !== "forwarded") after?.();
				}
			});
			const other = direction === "from client" ? server : client;
			socket.on("end", () => this.#tell(() => other.end()));
			socket.on("error", () => this.#tell(() => this.reset()));
			socket.on("close", () =>
				this.#tell(() => {
					if (this.#closed) return;
					// A reset of one side is a reset of the other; after an orderly end there is nothing left to cut.
					if (other.destroyed || !socket.readableEnded) this.reset();
					else other.destroySoon();
					if (client.destroyed && server.destroyed) this.#close(onClose);
				}),
			);
		}
	}

	get closed(): boolean {
		return this.#sockets["from client"].destroyed;
	}

	/** RST to both sides. */
	reset(): void {
		for (const socket of Object.values(this.#sockets)) {
			// A socket that has sent its FIN can't be reset any more, and would stay open.
			if (socket.writableEnded) socket.destroy();
			else if (!socket.destroyed) socket.resetAndDestroy();
		}
		for (const pipe of Object.values(this.#pipes)) pipe.end();
	}

	/** FIN to the receiver of that direction alone; the other direction goes on. */
	finish(direction: Direction): void {
		this.#sockets[direction === "from client" ? "from server" : "from client"].end();
	}

	/** Reads and writes nothing in either direction, and keeps the sockets. */
	halt(halted: boolean): void {
		this.#halted = halted;
		if (!halted) for (const tell of this.#untold.splice(0)) tell();
		for (const pipe of Object.values(this.#pipes)) pipe.halt(halted);
	}

	shape(direction: Direction, shape: Shape): void {
		this.#pipes[direction].shape = shape;
	}

	/** Bytes that nobody sent, behind what is on its way. */
	inject(direction: Direction, bytes: Buffer): void {
		this.#pipes[direction].send(bytes);
	}

	/** Flips bits of the byte at `offset` of that direction's stream, counted from the connection's begin, when it comes by. */
	corrupt(direction: Direction, offset: number, mask = 1): void {
		const apply = (bytes: Buffer, index: number) => {
			const changed = Buffer.from(bytes);
			changed[index] = changed[index]! ^ mask;
			return changed;
		};
		this.#edits[direction].push({ offset, apply });
	}

	/** Ends that direction's stream before the byte at `offset`, with FIN. */
	truncate(direction: Direction, offset: number): void {
		this.#edits[direction].push({ offset, apply: (bytes, index) => bytes.subarray(0, index), last: true });
	}

	/** Sends on what was held, in the order it came. */
	release(): void {
		for (const { direction, bytes, packet } of this.#held.splice(0)) {
			this.#onRelease(direction, packet);
			this.#forward(direction, bytes);
		}
	}

	/** Bytes of that direction that have passed. */
	passed(direction: Direction): number {
		return this.#passed[direction];
	}

	#forward(direction: Direction, chunk: Buffer, after?: () => void): void {
		const from = this.#passed[direction];
		let bytes = chunk;
		this.#passed[direction] += chunk.length;
		for (const edit of [...this.#edits[direction]]) {
			const index = edit.offset - from;
			if (index < 0 || index >= bytes.length) continue;
			bytes = edit.apply(bytes, index);
			this.#edits[direction].splice(this.#edits[direction].indexOf(edit), 1);
			if (!edit.last) continue;
			this.#pipes[direction].send(bytes, () => this.finish(direction));
			return;
		}
		this.#pipes[direction].send(bytes, after);
	}

	/** What one side does is heard on the other, but not through a partition. */
	#tell(what: () => void): void {
		if (this.#halted) this.#untold.push(what);
		else what();
	}

	#close(onClose: (link: ProxyLink) => void): void {
		this.#closed = true;
		for (const pipe of Object.values(this.#pipes)) pipe.end();
		onClose(this);
	}
}
