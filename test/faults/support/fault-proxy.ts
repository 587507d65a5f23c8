import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { freePort } from "../../support/free-port.js";
import { packet, str, u16 } from "../../support/wire.js";
import { ProxyLink, type Ruling } from "./proxy-link.js";
import type { Shape } from "./proxy-pipe.js";
import { type Direction, historyTime, type WireEvent } from "./wire-history.js";
import type { WirePacket, WirePacketType } from "./wire-packet.js";

export type { ProxyLink } from "./proxy-link.js";
export type { Shape } from "./proxy-pipe.js";
export type { Direction, WireEvent } from "./wire-history.js";
export type { WirePacket, WirePacketType } from "./wire-packet.js";

/** What a trigger does with the packet that fired it. */
export interface TriggerAction {
	/** Default: forwarded. */
	readonly packet?: Ruling["fate"];
	/** Called once: after the packet was handed to the other side's socket, or at once if it is not forwarded. */
	readonly after?: (link: ProxyLink, packet: WirePacket) => void;
}

interface Trigger {
	readonly direction: Direction;
	readonly type: WirePacketType;
	readonly fires: (packet: WirePacket, count: number) => boolean;
	readonly action: TriggerAction;
	/** With an nth it fires once, with a predicate as often as that holds. */
	readonly once: boolean;
	count: number;
	/** Called when its action was done. */
	readonly fired: () => void;
}

export interface FaultProxyOptions {
	/** False passes bytes on unread, for TLS and for HTTP: no triggers after, and no packets in the history. Default true. */
	readonly mqtt?: boolean;
	/** Between 0 and 1; a run that is replayed gives its own. */
	readonly random?: () => number;
}

/** Starts a proxy in front of 127.0.0.1:`serverPort`. It forwards everything until it is told otherwise. */
export async function startFaultProxy(serverPort: number, options: FaultProxyOptions = {}): Promise<FaultProxy> {
	const proxy = new FaultProxy(await freePort(), serverPort, options);
	await proxy.listen();
	return proxy;
}

/** A proxy that does what bad networks do, and writes down what it saw. Disposing cuts all. */
export class FaultProxy implements AsyncDisposable {
	readonly port: number;
	/** `mqtt://127.0.0.1:port`. */
	readonly url: string;
	/** All packets and faults, in order. */
	readonly history: WireEvent[] = [];
	readonly #serverPort: number;
	readonly #options: FaultProxyOptions;
	readonly #links = new Set<ProxyLink>();
	/** Connections that were accepted and get no answer. */
	readonly #silent = new Set<Socket>();
	readonly #triggers: Trigger[] = [];
	readonly #shapes: Record<Direction, Shape> = { "from client": {}, "from server": {} };
	#server: Server | undefined;
	#halted = false;
	#epoch = 0;

	constructor(port: number, serverPort: number, options: FaultProxyOptions) {
		this.port = port;
		this.url = `mqtt://127.0.0.1:${port}`;
		this.#serverPort = serverPort;
		this.#options = options;
	}

	/** The connections that are open, oldest first. */
	get links(): readonly ProxyLink[] {
		return [...this.#links];
	}

	/** How many faults have fired. */
	get faults(): number {
		return this.history.filter(({ event }) => event === "fault").length;
	}

	/** Accepts connections, again after refuse(). */
	async listen(): Promise<void> {
		if (this.#server) return;
		const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket));
		this.#server = server;
		server.listen(this.port, "127.0.0.1");
		await once(server, "listening");
	}

	/** Listens no more: who connects is refused. Connections that are open stay. */
	refuse(): void {
		this.#fault("refuse");
		this.#server?.close();
		this.#server = undefined;
	}

	/** RST on all connections. */
	reset(): void {
		this.#fault("reset");
		for (const link of this.links) link.reset();
	}

	/** FIN to the receivers of that direction; the other direction goes on. */
	finish(direction: Direction): void {
		this.#fault(`fin ${direction}`);
		for (const link of this.links) link.finish(direction);
	}

	/** A silent partition: nothing is read or written, sockets stay, new connections are accepted and get no answer. */
	blackhole(): void {
		this.#fault("blackhole");
		this.#halted = true;
		for (const link of this.links) link.halt(true);
	}

	/** How bytes of a direction, or of both, travel from now on. */
	shape(shape: Shape, directions: readonly Direction[] = ["from client", "from server"]): void {
		this.#fault(`shape ${JSON.stringify(shape)}`);
		for (const direction of directions) {
			this.#shapes[direction] = shape;
			for (const link of this.links) link.shape(direction, shape);
		}
	}

	/** Whole again: listens, lets what waited go on, and ends the connections that were kept without an answer. Triggers stay. */
	async heal(): Promise<void> {
		this.#halted = false;
		this.history.push({ at: historyTime(), epoch: this.#epoch, event: "healed" });
		for (const direction of ["from client", "from server"] as const) this.#shapes[direction] = {};
		for (const link of this.links) {
			for (const direction of ["from client", "from server"] as const) link.shape(direction, {});
			link.halt(false);
		}
		for (const socket of this.#silent) socket.resetAndDestroy();
		await this.listen();
	}

	/**
	 * Does something at the nth packet of a type from now on (counted over all connections), or at each one for which a predicate holds.
	 * With nothing to do it only looks, which is no fault. Resolves when it has fired for the first time.
	 */
	on(
		direction: Direction,
		type: WirePacketType,
		when: number | ((packet: WirePacket) => boolean),
		action: TriggerAction,
	): Promise<void> {
		if (this.#options.mqtt === false) throw new Error("triggers need packets, and this proxy does not read them");
		return new Promise((resolve) => {
			this.#triggers.push({
				direction,
				type,
				fires: typeof when === "number" ? (_, count) => count === when : when,
				action,
				once: typeof when === "number",
				count: 0,
				fired: resolve,
			});
		});
	}

	/** A PUBLISH of the server once more, with DUP, as brokers do that resend on a live connection. Its payload must be short. */
	resend(link: ProxyLink, publish: WirePacket): void {
		const { qos = 0, topic = "", id = 0, payload = "" } = publish;
		this.#fault(`publish ${id} sent again`, link.epoch);
		const again = { ...publish, dup: true };
		this.history.push({
			at: historyTime(),
			epoch: link.epoch,
			event: "packet",
			direction: "from server",
			packet: again,
			fate: "forwarded",
		});
		link.inject("from server", packet(0x38 | (qos << 1), str(topic), u16(id), Buffer.from(payload, "latin1")));
	}

	async [Symbol.asyncDispose](): Promise<void> {
		const server = this.#server;
		this.#server = undefined;
		const closed = server && once(server, "close");
		server?.close();
		for (const link of this.links) link.reset();
		for (const socket of this.#silent) socket.destroy();
		await closed;
	}

	#accept(socket: Socket): void {
		if (this.#halted) {
			this.#silent.add(socket);
			socket.on("error", () => {}).on("close", () => this.#silent.delete(socket));
			return;
		}
		const epoch = ++this.#epoch;
		const link = new ProxyLink(socket, {
			epoch,
			serverPort: this.#serverPort,
			random: this.#options.random ?? Math.random,
			...(this.#options.mqtt !== false && { rule: this.#rule.bind(this) }),
			onRelease: (direction, packet) => {
				this.history.push({ at: historyTime(), epoch, event: "packet", direction, packet, fate: "released" });
			},
			onClose: () => {
				this.#links.delete(link);
				this.history.push({ at: historyTime(), epoch, event: "closed" });
			},
		});
		for (const direction of ["from client", "from server"] as const) link.shape(direction, this.#shapes[direction]);
		this.#links.add(link);
		this.history.push({ at: historyTime(), epoch, event: "opened" });
	}

	/** The first trigger that fires decides. */
	#rule(link: ProxyLink, direction: Direction, packet: WirePacket): Ruling {
		let ruling: Ruling = { fate: "forwarded" };
		for (const [index, trigger] of this.#triggers.entries()) {
			if (trigger.direction !== direction || trigger.type !== packet.type) continue;
			trigger.count++;
			if (!trigger.fires(packet, trigger.count)) continue;
			if (trigger.once) this.#triggers.splice(index, 1);
			const { packet: fate = "forwarded", after } = trigger.action;
			ruling = {
				fate,
				after: () => {
					after?.(link, packet);
					trigger.fired();
				},
			};
			// What only looks is no fault.
			if (fate !== "forwarded" || after !== undefined) {
				this.#fault(`${packet.type} ${direction} ${fate}`, link.epoch);
			}
			break;
		}
		this.history.push({ at: historyTime(), epoch: link.epoch, event: "packet", direction, packet, fate: ruling.fate });
		return ruling;
	}

	#fault(what: string, epoch = this.#epoch): void {
		this.history.push({ at: historyTime(), epoch, event: "fault", what });
	}
}
