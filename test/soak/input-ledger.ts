import type { WireEvent } from "../faults/support/wire-history.js";
import type { Disruptions } from "./disruptions.js";
import { Numbered } from "./numbered.js";
import type { Violations } from "./violations.js";

/** A message that is not through: acknowledged to its publisher, accepted by the app, acknowledged to the broker. */
interface Open {
	/** When the broker acknowledged it to the publisher. */
	publishedAt?: number;
	/** When the broker first sent it to the sidecar. */
	firstSentAt?: number;
	/** When the connection was made on which it was sent last: what a partition held back, a broker that is dead by now may have sent. */
	connectionAt?: number;
	/** An attempt failed, or may have when the app died: it may be passed over. */
	refused?: boolean;
	acknowledged?: boolean;
}

/** One delivery on the present connection that has no PUBACK yet. */
interface Unacknowledged {
	readonly id: number;
	readonly number: number;
}

/** A PUBACK that passed so shortly before the end of its connection may not have been read. */
const UNREAD_MS = 1_000;
const MAX_PUBACKS = 20_000;

/** Publisher → broker → sidecar → app, message by message. Checks I1 to I5 and I13 as the run goes; what is through is forgotten. */
export class InputLedger {
	accepted = 0;
	refused = 0;
	duplicates = 0;
	acknowledged = 0;
	/** What may come twice (I13): un-acknowledged at the end of a connection or at the app's death, or acknowledged just before and perhaps not read. */
	atRisk = 0;
	/** Lost by a broker that was killed before it saved what it had acknowledged. */
	lostByBroker = 0;
	readonly #open = new Map<number, Open>();
	readonly #acceptedAt = new Numbered();
	/** By connection that is open. */
	readonly #openedAt = new Map<number, number>();
	readonly #wire = new Map<number, Unacknowledged[]>();
	/** The latest ones on the wire. */
	#pubacks: { readonly epoch: number; readonly at: number }[] = [];
	readonly #disruptions: Disruptions;
	readonly #violations: Violations;

	constructor(disruptions: Disruptions, violations: Violations) {
		this.#disruptions = disruptions;
		this.#violations = violations;
	}

	hasAccepted(number: number): boolean {
		return this.#acceptedAt.get(number) !== undefined;
	}

	published(number: number, at: number): void {
		this.#entry(number).publishedAt = at;
		this.#settle(number);
	}

	appAccepted(number: number, at: number): void {
		const before = this.#acceptedAt.get(number);
		if (before === undefined) this.accepted++;
		else this.#duplicate(number, before, at);
		this.#acceptedAt.set(number, at);
		this.#settle(number);
	}

	appRefused(number: number): void {
		this.refused++;
		this.#entry(number).refused = true;
	}

	/** What it had in its hands has failed, or not. */
	appKilled(): void {
		for (const list of this.#wire.values()) this.atRisk += list.length;
		for (const entry of this.#open.values()) if (entry.firstSentAt !== undefined) entry.refused = true;
	}

	/** What the app accepted before must have been told already. */
	wire(event: WireEvent): void {
		if (event.event === "opened") this.#openedAt.set(event.epoch, event.at);
		if (event.event === "closed") {
			this.#openedAt.delete(event.epoch);
			this.atRisk += this.#wire.get(event.epoch)?.length ?? 0;
			this.atRisk += this.#pubacks.filter(({ epoch, at }) => epoch === event.epoch && event.at - at < UNREAD_MS).length;
			this.#pubacks = this.#pubacks.filter(({ epoch }) => epoch > event.epoch);
			this.#wire.delete(event.epoch);
		}
		if (event.event !== "packet") return;
		const { epoch, direction, packet, at } = event;
		if (direction === "from server" && packet.type === "publish") {
			const number = Number(/i-(\d+)/.exec(packet.payload ?? "")?.[1]);
			if (Number.isNaN(number) || packet.id === undefined) return;
			const entry = this.#entry(number);
			entry.firstSentAt ??= at;
			entry.connectionAt = this.#openedAt.get(epoch) ?? at;
			const list = this.#wire.get(epoch) ?? [];
			this.#wire.set(epoch, list);
			if (!list.some(({ id }) => id === packet.id)) list.push({ id: packet.id, number });
		}
		if (direction === "from client" && packet.type === "puback") this.#puback(epoch, packet.id ?? 0, at);
	}

	/** What was acknowledged to its publisher and never accepted, at the end or older than a moment. */
	lost(publishedBefore = Number.POSITIVE_INFINITY): number[] {
		const lost = [...this.#open].filter(
			([number, { publishedAt }]) =>
				publishedAt !== undefined && publishedAt < publishedBefore && !this.hasAccepted(number),
		);
		const ours = lost.filter(([, { publishedAt, connectionAt }]) => {
			const killedAt = this.#disruptions.killSoonAfter(publishedAt!);
			return killedAt === undefined || (connectionAt !== undefined && connectionAt > killedAt);
		});
		this.lostByBroker = lost.length - ours.length;
		return ours.map(([number]) => number);
	}

	#puback(epoch: number, id: number, at: number): void {
		const list = this.#wire.get(epoch) ?? [];
		const index = list.findIndex((entry) => entry.id === id);
		const entry = list[index];
		if (entry === undefined) {
			this.#violations.add(`PUBACK ${id} on connection ${epoch}, which has no such message un-acknowledged (I3, I5)`);
			return;
		}
		this.acknowledged++;
		this.#pubacks.push({ epoch, at });
		if (this.#pubacks.length > MAX_PUBACKS) this.#pubacks.splice(0, MAX_PUBACKS / 2);
		if (!this.hasAccepted(entry.number)) {
			this.#violations.add(`PUBACK for i-${entry.number} on connection ${epoch} before the app accepted it (I2)`);
		}
		const overtaken = list.slice(0, index).find(({ number }) => !this.#mayBePassedOver(number, at));
		if (overtaken !== undefined) {
			this.#violations.add(`PUBACK for i-${entry.number} overtook i-${overtaken.number} on connection ${epoch} (I4)`);
		}
		list.splice(index, 1);
		this.#entry(entry.number).acknowledged = true;
		this.#settle(entry.number);
	}

	/** Once refused, or so long behind that ten seconds may have passed with others settled after it. */
	#mayBePassedOver(number: number, at: number): boolean {
		const entry = this.#open.get(number);
		return entry === undefined || entry.refused === true || at - (entry.firstSentAt ?? 0) > 9_500;
	}

	#duplicate(number: number, before: number, at: number): void {
		this.duplicates++;
		const cause = this.#disruptions.between(before, at);
		if (cause) cause.duplicates++;
		else
			this.#violations.add(
				`i-${number} was accepted twice, ${Math.round(at - before)} ms apart, with no cut between (I13)`,
			);
	}

	#entry(number: number): Open {
		let entry = this.#open.get(number);
		if (entry === undefined) {
			entry = {};
			this.#open.set(number, entry);
		}
		return entry;
	}

	#settle(number: number): void {
		const entry = this.#open.get(number);
		if (entry === undefined || !this.hasAccepted(number)) return;
		if (entry.acknowledged || entry.firstSentAt === undefined) this.#open.delete(number);
	}
}
