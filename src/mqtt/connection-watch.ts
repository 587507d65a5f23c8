import type { BrokerConnection } from "./broker-connection.js";
import type { MqttSession } from "./session.js";

/** Settled acknowledgements wait so long behind unsettled deliveries, then those are passed over. */
const BLOCKING_AT_MOST_MS = 10_000;
/** A connection that passed messages by is resumed at most so often. */
const RESUME_EVERY_MS = 60_000;
/** Publishes fill their bound and nothing is acknowledged for so long: the connection is given up. */
const UNANSWERED_AT_MOST_MS = 30_000;
const SWEEP_MS = 1_000;

/** Looks once a second whether something waits for too long on the connection that is online. */
export class ConnectionWatch {
	readonly #session: MqttSession;
	readonly #onSweep: (now: number) => void;
	#timer: NodeJS.Timeout | undefined;
	/** How many publishes had got on their way, and when that last changed. */
	#progress = { count: 0, at: 0 };
	#lastResumeAt = Number.NEGATIVE_INFINITY;
	/** At each look, the place of the last delivery whose acknowledgement was seen waiting behind unsettled ones. */
	readonly #waiting: { readonly sequence: number; readonly at: number }[] = [];

	/** `onSweep`: called at each look. */
	constructor(session: MqttSession, onSweep: (now: number) => void = () => {}) {
		this.#session = session;
		this.#onSweep = onSweep;
	}

	/** The connection is online: watches over it until stop(). */
	start(connection: BrokerConnection): void {
		this.#progress = { count: this.#session.outbound.progress, at: performance.now() };
		this.#timer = setInterval(() => this.#sweep(connection, performance.now()), SWEEP_MS);
	}

	/** The connection is gone. */
	stop(): void {
		clearInterval(this.#timer);
	}

	#sweep(connection: BrokerConnection, now: number): void {
		connection.sweep(now);
		this.#onSweep(now);
		this.#passOver(now);
		this.#resume(connection, now);
		this.#checkAnswers(connection, now);
	}

	#passOver(now: number): void {
		const { inbound } = this.#session;
		const sequence = inbound.newestWaiting;
		if (sequence === undefined) {
			this.#waiting.length = 0;
			return;
		}
		if (this.#waiting.at(-1)?.sequence !== sequence) this.#waiting.push({ sequence, at: now });
		while (this.#waiting[0] !== undefined && now - this.#waiting[0].at >= BLOCKING_AT_MOST_MS) {
			inbound.passOverBefore(this.#waiting.shift()!.sequence);
		}
	}

	#resume(connection: BrokerConnection, now: number): void {
		if (!this.#session.inbound.wantsResume || now - this.#lastResumeAt < RESUME_EVERY_MS) return;
		this.#lastResumeAt = now;
		void connection.disconnect("resumed to fetch the messages that were passed by while the buffer was full");
	}

	#checkAnswers(connection: BrokerConnection, now: number): void {
		const { isFull, progress } = this.#session.outbound;
		if (!isFull || progress !== this.#progress.count) {
			this.#progress = { count: progress, at: now };
		} else if (now - this.#progress.at >= UNANSWERED_AT_MOST_MS) {
			const seconds = UNANSWERED_AT_MOST_MS / 1_000;
			connection.fail("dead", `too many publishes are pending and the broker acknowledged none for ${seconds} s`);
		}
	}
}
