import type { AppCall, CreateRecord, Histories, PublishRecord } from "./histories.js";
import type { Direction, WireEvent } from "./wire-history.js";
import type { WirePacket } from "./wire-packet.js";

/** Writes histories by hand, for the checker's own tests. Each line is 10 ms after the one before, unless `wait` said otherwise. */
export class WrittenHistory {
	readonly #wire: WireEvent[] = [];
	readonly #published: PublishRecord[] = [];
	readonly #app: AppCall[] = [];
	readonly #creates: CreateRecord[] = [];
	readonly #faults: { at: number; what: string }[] = [];
	readonly #appLosses: number[] = [];
	readonly #brokerKills: { at: number; savedAt: number }[] = [];
	#now = 0;
	#epoch = 0;

	wait(ms: number): this {
		this.#now += ms;
		return this;
	}

	/** A connection begins, with CONNACK 0 and a SUBACK. */
	connect({ subscribes = true } = {}): this {
		this.#wire.push({ at: this.#tick(), epoch: ++this.#epoch, event: "opened" });
		this.#packet("from client", { type: "connect" });
		this.#packet("from server", { type: "connack", code: 0, sessionPresent: this.#epoch > 1 });
		if (!subscribes) return this;
		this.#packet("from client", { type: "subscribe", id: 65_520 });
		return this.#packet("from server", { type: "suback", id: 65_520, code: 1 });
	}

	/** The present connection ends by a fault. */
	cut(): this {
		this.#wire.push({ at: this.#tick(), epoch: this.#epoch, event: "fault", what: "reset" });
		this.#wire.push({ at: this.#tick(), epoch: this.#epoch, event: "closed" });
		return this;
	}

	/** The publisher publishes it, and has its PUBACK. */
	published(id: string, topic = "in/a"): this {
		this.#published.push({ id, topic, at: this.#tick(), acknowledgedAt: this.#tick() });
		return this;
	}

	/** The broker sends it to us. */
	arrives(
		id: string,
		packetId: number,
		{ dup = false, topic = "in/a", fate = "forwarded" as "forwarded" | "swallowed" } = {},
	): this {
		return this.#packet(
			"from server",
			{ type: "publish", qos: 1, dup, retain: false, topic, payload: id, id: packetId },
			fate,
		);
	}

	/** The app gets it and answers; without a status it never does. */
	handled(id: string, status: number | undefined = 200, topic = "in/a"): this {
		const at = this.#tick();
		this.#app.push({ id, topic, at, ...(status !== undefined && { status, answeredAt: this.#tick() }) });
		return this;
	}

	/** The app gets it and never answers. */
	hangs(id: string, topic = "in/a"): this {
		this.#app.push({ id, topic, at: this.#tick() });
		return this;
	}

	acked(packetId: number): this {
		return this.#packet("from client", { type: "puback", id: packetId });
	}

	/** The sidecar writes a publish of its own. */
	sends(id: string, packetId: number): this {
		return this.#packet("from client", {
			type: "publish",
			qos: 1,
			dup: false,
			retain: false,
			topic: "out",
			payload: id,
			id: packetId,
		});
	}

	answered(packetId: number, fate: "forwarded" | "swallowed" = "forwarded"): this {
		return this.#packet("from server", { type: "puback", id: packetId }, fate);
	}

	created(id: string, answer: CreateRecord["answer"]): this {
		const at = this.#tick();
		this.#creates.push({ id, at, answeredAt: this.#tick(), answer });
		return this;
	}

	appDies(): this {
		this.#appLosses.push(this.#tick());
		return this;
	}

	/** The broker is killed; it had saved so many ms ago. */
	brokerKilled(savedMsAgo: number): this {
		const at = this.#tick();
		this.#brokerKills.push({ at, savedAt: at - savedMsAgo });
		return this;
	}

	fault(what = "kill -9"): this {
		this.#faults.push({ at: this.#tick(), what });
		return this;
	}

	histories(changes: Partial<Histories> = {}): Histories {
		return {
			seed: 1,
			published: this.#published,
			wire: this.#wire,
			app: this.#app,
			creates: this.#creates,
			faults: this.#faults,
			appLosses: this.#appLosses,
			brokerKills: this.#brokerKills,
			brokerDropped: 0,
			stops: [],
			ends: [],
			disposed: [],
			ackOrder: "arrival",
			ordering: "none",
			...changes,
		};
	}

	#packet(direction: Direction, packet: WirePacket, fate: "forwarded" | "swallowed" = "forwarded"): this {
		this.#wire.push({ at: this.#tick(), epoch: this.#epoch, event: "packet", direction, packet, fate });
		return this;
	}

	#tick(): number {
		this.#now += 10;
		return this.#now;
	}
}
