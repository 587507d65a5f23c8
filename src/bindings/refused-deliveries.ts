import { jittered } from "../mqtt/backoff.js";
import type { Delivery } from "../mqtt/delivery.js";
import type { Report, Verdict } from "./binding.js";
import type { DeadLetters } from "./dead-letters.js";
import { DueQueue } from "./due-queue.js";
import { HeldDeliveries } from "./held-deliveries.js";
import type { Mqtt3Settings } from "./mqtt3-options.js";
import { statusMatch } from "./status-list.js";

/** How soon an app may ask for with `Retry-After`, where `backOffInterval` is not sooner: 0 must not drive it in a tight circle. */
const RETRY_AFTER_AT_LEAST_MS = 1_000;
const NO_PAYLOAD = new Uint8Array();

/** An attempt that counts. */
export type Failure = Extract<Verdict, { kind: "failed" }>;

/** Why messages were acknowledged, or at QoS 0 forgotten, without the app's consent. */
export interface DropCounters {
	retriesExhausted: number;
	dropOn: number;
	oversized: number;
	/** They came for a filter that the configuration names in `unsubscribe`. */
	unsubscribed: number;
}

export interface RefusedDeliveriesOptions {
	readonly settings: Mqtt3Settings;
	readonly report: (report: Report) => void;
	/** Absent: there are none. */
	readonly deadLetters?: DeadLetters | undefined;
	/** Whether a held delivery may be tried now, as far as others of its topic go. */
	readonly mayStart?: ((delivery: Delivery) => boolean) | undefined;
	/** Told of a delivery that came to its end some time after it was refused. */
	readonly finished: (delivery: Delivery) => void;
}

/**
 * What becomes of messages that the app refused, or that are too large for it: tried again later, held, dead-lettered or dropped. Says so
 * each time.
 */
export class RefusedDeliveries {
	/** Those whose retries are used up, and those too large to be read. */
	readonly held: HeldDeliveries;
	readonly deadLetters: DeadLetters | undefined;
	readonly #options: RefusedDeliveriesOptions;
	readonly #settings: Mqtt3Settings;
	readonly #between = new DueQueue<Delivery>();
	readonly dropped: DropCounters = { retriesExhausted: 0, dropOn: 0, oversized: 0, unsubscribed: 0 };
	/** Messages that the broker has on the dead-letter topic. */
	deadLettered = 0;
	/** Dead letters that failed. */
	deadLettersFailed = 0;
	#hasStopped = false;

	constructor(options: RefusedDeliveriesOptions) {
		this.#options = options;
		this.#settings = options.settings;
		this.deadLetters = options.deadLetters;
		const { holdIntervalMs, maxInFlight } = options.settings;
		this.held = new HeldDeliveries({
			intervalMs: holdIntervalMs,
			atOnce: Math.max(1, Math.floor(maxInFlight / 4)),
			mayStart: options.mayStart,
		});
	}

	/** False: nothing will be due. */
	get waits(): boolean {
		return this.#between.size > 0 || this.held.size > 0;
	}

	/** When something is due next; infinity: never. */
	get nextAt(): number {
		return Math.min(this.#between.nextAt, this.held.nextAt);
	}

	/** Takes out the next delivery whose pause between two attempts is over, whatever has become of it. */
	takeDue(now: number): Delivery | undefined {
		return this.#between.take(now);
	}

	/** Not before `delayMs` from now. */
	postpone(delivery: Delivery, delayMs: number): void {
		delivery.stage = "between";
		this.#between.push(delivery, performance.now() + delayMs);
	}

	/** The app refused it. `isHeld`: it was held already, and stays so unless it is dropped or dead-lettered now. */
	refused(delivery: Delivery, failure: Failure, isHeld: boolean): void {
		delivery.attempts++;
		delivery.detach();
		delivery.passOver();
		const byStatus = this.#byStatus(failure.status);
		const then = this.#possible(delivery, byStatus ?? this.#byAttempts(delivery, isHeld));
		if (then === "retry") this.#tryAgain(delivery, failure);
		else if (then === "deadLetter") this.#deadLetter(delivery, failure.error, isHeld);
		else if (then === "drop" && byStatus === "drop") {
			this.#drop(delivery, "dropOn", `dropOn names its answer: ${failure.error.message}`);
		} else if (then === "drop") {
			this.#drop(delivery, "retriesExhausted", `retries are used up: ${failure.error.message}`);
		} else if (!isHeld) this.#hold(delivery, failure.error.message);
	}

	/** It is too large to be read. */
	oversized(delivery: Delivery): void {
		const { maxPayloadSize } = this.#settings;
		this.#tooLarge(delivery, `${delivery.packet.payloadSize} bytes are more than maxPayloadSize (${maxPayloadSize})`);
	}

	/** It can't be handed over, whatever the app would say. */
	unfit(delivery: Delivery, error: Error): void {
		delivery.detach();
		delivery.passOver();
		const obstacle = this.deadLetters === undefined ? "none is configured" : this.deadLetters.obstacle(delivery);
		if (obstacle === undefined) this.#deadLetter(delivery, error, false);
		else this.#tooLarge(delivery, `${error.message}; no dead letter: ${obstacle}`);
	}

	#tooLarge(delivery: Delivery, reason: string): void {
		if (this.#possible(delivery, this.#settings.onOversized) === "drop") {
			this.#drop(delivery, "oversized", reason);
			return;
		}
		this.held.addOversized(delivery, performance.now());
		delivery.passOver();
		this.#say("error", "oversized", `held un-acknowledged, not tried: ${reason}`, delivery);
	}

	/** It came for a filter that we have left. */
	unsubscribed(delivery: Delivery): void {
		delivery.stage = "settled";
		this.dropped.unsubscribed++;
		delivery.ack();
	}

	/** The app took one that was held. */
	recovered(delivery: Delivery): void {
		const attempts = delivery.attempts + 1;
		this.#say(
			"info",
			"held-accepted",
			`accepted at attempt ${attempts}, no longer held; ${this.held.size} left`,
			delivery,
		);
	}

	/** It is neither tried again nor held any more. */
	forget(delivery: Delivery): void {
		this.held.delete(delivery);
		// Its entry may wait for its time for hours.
		if (delivery.stage === "between") delivery.packet = { ...delivery.packet, payload: NO_PAYLOAD };
		delivery.stage = "settled";
	}

	/** The binding stops: dead letters that fail from here on stay with the broker, and nothing is said. */
	stop(): void {
		this.#hasStopped = true;
	}

	#byStatus(status: number | string | undefined): "drop" | "deadLetter" | undefined {
		const { dropOn, deadLetterOn } = this.#settings;
		if (status === undefined || (dropOn.length === 0 && deadLetterOn.length === 0)) return undefined;
		const drop = statusMatch(dropOn, status);
		const deadLetter = statusMatch(deadLetterOn, status);
		if (drop !== undefined && (drop === "exactly" || deadLetter !== "exactly")) return "drop";
		return deadLetter === undefined ? undefined : "deadLetter";
	}

	#byAttempts({ attempts }: Delivery, isHeld: boolean): "retry" | Mqtt3Settings["onRetriesExhausted"] {
		const { backOffMaxRetries, onRetriesExhausted } = this.#settings;
		if (!isHeld && (backOffMaxRetries < 0 || attempts <= backOffMaxRetries)) return "retry";
		return onRetriesExhausted;
	}

	/** What no broker keeps for us can't be held, nor wait for its dead letter. */
	#possible<Then>({ packet, lost }: Delivery, then: Then): Then | "drop" {
		const isKept = packet.qos > 0 && !lost;
		return isKept || then === "retry" ? then : "drop";
	}

	#tryAgain(delivery: Delivery, { error, retryAfterMs }: Failure): void {
		const delayMs = this.#delayMs(delivery.attempts, retryAfterMs);
		this.postpone(delivery, delayMs);
		const message = `attempt ${delivery.attempts} failed: ${error.message}; next in ${Math.round(delayMs)} ms`;
		this.#say("warn", "delivery-failed", message, delivery);
	}

	#delayMs(attempts: number, retryAfterMs: number | undefined): number {
		const { backOffPolicy, backOffIntervalMs, backOffMaxIntervalMs } = this.#settings;
		if (retryAfterMs !== undefined) {
			const atLeast = Math.min(backOffIntervalMs, RETRY_AFTER_AT_LEAST_MS);
			return Math.min(Math.max(retryAfterMs, atLeast), backOffMaxIntervalMs);
		}
		if (backOffPolicy === "constant") return backOffIntervalMs;
		return jittered(Math.min(backOffIntervalMs * 2 ** (attempts - 1), backOffMaxIntervalMs));
	}

	#hold(delivery: Delivery, why: string): void {
		this.held.add(delivery, performance.now());
		const { attempts } = delivery;
		const message = `held un-acknowledged after ${attempts} attempt${attempts === 1 ? "" : "s"}, tried again about every ${this.#settings.holdIntervalMs} ms: ${why}`;
		this.#say("error", "held", message, delivery);
	}

	#deadLetter(delivery: Delivery, error: Error, isHeld: boolean): void {
		const { deadLetters } = this;
		const obstacle = deadLetters === undefined ? "there is no dead-letter topic" : deadLetters.obstacle(delivery);
		if (deadLetters === undefined || obstacle !== undefined) {
			if (!isHeld) this.#hold(delivery, `${error.message}; no dead letter: ${obstacle}`);
			return;
		}
		this.held.delete(delivery);
		delivery.stage = "dead-lettering";
		deadLetters.publish(delivery, error).then(
			() => this.#deadLetterSent(delivery, error),
			(failure: Error) => this.#deadLetterFailed(delivery, error, failure),
		);
	}

	/** Only now the original is acknowledged; an orphan's acknowledgement leaves when it is adopted. */
	#deadLetterSent(delivery: Delivery, error: Error): void {
		this.deadLettered++;
		delivery.stage = "settled";
		delivery.ack();
		this.#say("warn", "dead-lettered", `dead-lettered: ${error.message}`, delivery);
		this.#options.finished(delivery);
	}

	#deadLetterFailed(delivery: Delivery, error: Error, failure: Error): void {
		if (this.#hasStopped) return;
		this.deadLettersFailed++;
		if (delivery.state === "dead") this.forget(delivery);
		else this.#hold(delivery, `${error.message}; its dead letter failed: ${failure.message}`);
		this.#options.finished(delivery);
	}

	#drop(delivery: Delivery, reason: keyof DropCounters, words: string): void {
		this.held.delete(delivery);
		delivery.stage = "settled";
		this.dropped[reason]++;
		this.#say("error", "dropped", `dropped: ${words}`, delivery);
		delivery.ack();
	}

	#say(level: Report["level"], code: string, message: string, { packet, attempts }: Delivery): void {
		const { topic, payloadSize: bytes, qos } = packet;
		this.#options.report({ level, code, message, details: { topic, bytes, qos, attempts } });
	}
}
