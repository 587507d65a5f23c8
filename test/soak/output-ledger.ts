import type { WireEvent } from "../faults/support/wire-history.js";
import type { Disruptions } from "./disruptions.js";
import { Numbered } from "./numbered.js";
import type { Violations } from "./violations.js";

/** Failed calls that are remembered, so that a publish after the error is seen. */
const FAILED = 100_000;

/** What `create` said. */
export type CreateAnswer = "success" | "not sent" | "outcome unknown" | "no answer";

/** create → sidecar → broker → subscriber, call by call. Checks I6 and I7 as the run goes; what is through is forgotten. */
export class OutputLedger {
	readonly answers: Record<CreateAnswer, number> = { success: 0, "not sent": 0, "outcome unknown": 0, "no answer": 0 };
	arrived = 0;
	copies = 0;
	lostByBroker = 0;
	/** Calls without an answer yet: whether their PUBLISH was seen, and whether its PUBACK was. */
	readonly #calls = new Map<number, { published: boolean; acknowledged: boolean }>();
	/** Successes that the subscriber has not got: when they were answered. */
	readonly #owed = new Map<number, number>();
	/** Calls that failed, and when. */
	readonly #failed = new Map<number, { readonly answer: "not sent" | "outcome unknown"; readonly at: number }>();
	readonly #arrivedAt = new Numbered();
	readonly #wire = new Map<number, { readonly openedAt: number; readonly ids: Map<number, number> }>();
	readonly #disruptions: Disruptions;
	readonly #violations: Violations;

	constructor(disruptions: Disruptions, violations: Violations) {
		this.#disruptions = disruptions;
		this.#violations = violations;
	}

	/** Successes that the subscriber waits for. */
	get waiting(): number {
		return this.#owed.size;
	}

	called(number: number): void {
		this.#calls.set(number, { published: false, acknowledged: false });
	}

	/** All that the wire showed before must have been told already. */
	answered(number: number, answer: CreateAnswer, at: number): void {
		this.answers[answer]++;
		const call = this.#calls.get(number);
		this.#calls.delete(number);
		if (answer === "success") {
			if (!call?.acknowledged) this.#violations.add(`create of o-${number} succeeded without a PUBACK (I6)`);
			if (this.#arrivedAt.get(number) === undefined) this.#owed.set(number, at);
		} else if (answer !== "no answer") {
			if (answer === "not sent" && call?.published) {
				this.#violations.add(`create of o-${number} answered "not sent", and its PUBLISH was on the wire (I7)`);
			}
			this.#failed.set(number, { answer, at });
			const [oldest] = this.#failed.keys();
			if (this.#failed.size > FAILED && oldest !== undefined) this.#failed.delete(oldest);
		}
	}

	/** The subscriber got it. */
	received(number: number, at: number): void {
		if (this.#arrivedAt.get(number) === undefined) this.arrived++;
		else this.copies++;
		this.#arrivedAt.set(number, at);
		this.#owed.delete(number);
		if (this.#failed.get(number)?.answer === "not sent") {
			this.#violations.add(`the subscriber got o-${number}, whose create answered "not sent" (I7)`);
		}
	}

	wire(event: WireEvent): void {
		const { epoch } = event;
		if (event.event === "opened") this.#wire.set(epoch, { openedAt: event.at, ids: new Map() });
		if (event.event === "closed") this.#wire.delete(epoch);
		const connection = this.#wire.get(epoch);
		if (event.event !== "packet" || connection === undefined) return;
		const { direction, packet, fate } = event;
		if (direction === "from client" && packet.type === "publish") {
			const number = Number(/o-(\d+)/.exec(packet.payload ?? "")?.[1]);
			if (Number.isNaN(number) || packet.id === undefined) return;
			connection.ids.set(packet.id, number);
			const call = this.#calls.get(number);
			if (call) call.published = true;
			const failed = this.#failed.get(number);
			// What was written before the answer may pass here later; a connection that was made later can only carry a ghost.
			if (failed && (failed.answer === "not sent" || connection.openedAt > failed.at)) {
				this.#violations.add(`o-${number} was published after its create had answered "${failed.answer}" (I7)`);
			}
		}
		if (direction === "from server" && packet.type === "puback" && fate === "forwarded") {
			const call = this.#calls.get(connection.ids.get(packet.id ?? 0) ?? -1);
			if (call) call.acknowledged = true;
			connection.ids.delete(packet.id ?? 0);
		}
	}

	/** Successes that never arrived, at the end or answered before a moment. */
	lost(answeredBefore = Number.POSITIVE_INFINITY): number[] {
		const lost = [...this.#owed].filter(([, at]) => at < answeredBefore);
		const ours = lost.filter(([, at]) => this.#disruptions.killSoonAfter(at) === undefined);
		this.lostByBroker = lost.length - ours.length;
		return ours.map(([number]) => number);
	}
}
