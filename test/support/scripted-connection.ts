import type { Socket } from "node:net";
import { generate, type IConnectPacket, type ISubscribePacket, type Packet, type PacketCmd, parser } from "mqtt-packet";
import { Arrivals } from "./arrivals.js";

export type { Packet, PacketCmd } from "mqtt-packet";

/** The packet of one kind. */
export type PacketOf<C extends PacketCmd> = Extract<Packet, { cmd: C }>;

/** A packet that the client sent. */
export interface ReceivedPacket {
	readonly packet: Packet;
	/** `performance.now()` of its arrival. */
	readonly at: number;
}

/** How a connection ended: the client's FIN, its reset, or our own doing. */
export interface ConnectionEnd {
	readonly how: "fin" | "reset" | "ours";
	/** `performance.now()` of it. */
	readonly at: number;
}

/** The broker's end of one connection, moved by the test alone, but for the answers to PINGREQ. */
export class ScriptedConnection {
	/** All that the client sent, in order. */
	readonly received: ReceivedPacket[] = [];
	/** Resolves with the first sign that the connection is over. */
	readonly closed: Promise<ConnectionEnd>;
	/** While true, PINGREQ is answered and hidden from `expect` and `nothing`. */
	answerPings = true;
	/** While true, our direction stays open after the client's FIN. */
	holdOpen = false;
	readonly #socket: Socket;
	readonly #unread = new Arrivals<Packet>();

	constructor(socket: Socket) {
		this.#socket = socket;
		const decoder = parser({ protocolVersion: 4 });
		decoder.on("packet", (packet) => this.#receive(packet));
		decoder.on("error", (error: Error) => this.#unread.end(`the client sent what is no MQTT: ${error.message}`));
		socket.on("data", (chunk) => decoder.parse(chunk));
		this.closed = new Promise((resolve) => {
			const end = (how: ConnectionEnd["how"], reason: string) => {
				this.#unread.end(reason);
				resolve({ how, at: performance.now() });
			};
			socket.on("end", () => {
				end("fin", "the client closed the connection");
				if (!this.holdOpen) socket.end();
			});
			socket.on("error", () => end("reset", "the client reset the connection"));
			socket.on("close", () => end("ours", "we closed the connection"));
		});
	}

	/** How many bytes of the client's were read so far. */
	get bytesRead(): number {
		return this.#socket.bytesRead;
	}

	/** Takes the next packet; rejects when it is of another kind, when `check` returns false or throws, and after `timeoutMs`. */
	async expect<C extends PacketCmd>(
		cmd: C,
		check: (packet: PacketOf<C>) => unknown = () => true,
		timeoutMs = 5_000,
	): Promise<PacketOf<C>> {
		const packet = await this.#unread.take(`expected ${cmd} after ${this.#history()}`, timeoutMs);
		if (packet.cmd !== cmd) throw new Error(`expected ${cmd}, got ${JSON.stringify(packet)}`);
		const expected = packet as PacketOf<C>;
		if (check(expected) === false) throw new Error(`expected another ${cmd} than ${JSON.stringify(packet)}`);
		return expected;
	}

	/** Asserts that for `ms` from now neither a packet nor the end comes, and that none waits to be expected. */
	async nothing(ms: number): Promise<void> {
		await this.#unread.none(`expected nothing after ${this.#history()}`, ms);
	}

	/** Takes CONNECT and answers it; resolves with the CONNECT. */
	async greet({ returnCode = 0, sessionPresent = false } = {}): Promise<IConnectPacket> {
		const connect = await this.expect("connect");
		this.send({ cmd: "connack", returnCode, sessionPresent });
		return connect;
	}

	/** Takes SUBSCRIBE and grants it, as asked or with these codes; resolves with the SUBSCRIBE. */
	async grant(granted?: readonly number[]): Promise<ISubscribePacket> {
		const subscribe = await this.expect("subscribe");
		const codes = granted ?? subscribe.subscriptions.map(({ qos }) => qos);
		this.send({ cmd: "suback", messageId: subscribe.messageId!, granted: [...codes] });
		return subscribe;
	}

	/** Sends PUBLISH; QoS 1 and 2 need a packet identifier. */
	publish(
		topic: string,
		payload: string | Buffer,
		options: {
			readonly qos?: 0 | 1 | 2;
			readonly messageId?: number;
			readonly dup?: boolean;
			readonly retain?: boolean;
		} = {},
	): void {
		this.send({ cmd: "publish", topic, payload, qos: 0, dup: false, retain: false, ...options });
	}

	/** Sends packets in one piece; only what MQTT allows can be said so. */
	send(...packets: readonly Packet[]): void {
		this.#socket.write(Buffer.concat(packets.map((packet) => generate(packet, { protocolVersion: 4 }))));
	}

	/** Sends bytes as they are. */
	sendRaw(bytes: Uint8Array | readonly number[]): void {
		this.#socket.write(Uint8Array.from(bytes));
	}

	/** FIN after what was sent, and the end of our reading. */
	close(): void {
		this.#socket.destroySoon();
	}

	/** RST, at once. */
	reset(): void {
		this.#socket.resetAndDestroy();
	}

	/** FIN in our direction alone; the client is still read. */
	halfClose(): void {
		this.holdOpen = true;
		this.#socket.end();
	}

	/** Stops reading: what the client sends piles up on its side. */
	pause(): void {
		this.#socket.pause();
	}

	/** Reads again. */
	resume(): void {
		this.#socket.resume();
	}

	#receive(packet: Packet): void {
		this.received.push({ packet, at: performance.now() });
		if (packet.cmd === "pingreq" && this.answerPings) this.send({ cmd: "pingresp" });
		else this.#unread.add(packet);
	}

	#history(): string {
		const last = this.received.slice(-20).map(({ packet }) => packet.cmd);
		return last.length > 0 ? last.join(", ") : "nothing";
	}
}
