import type { Delivery } from "../mqtt/delivery.js";
import type { Report, Verdict } from "./binding.js";
import { DueQueue } from "./due-queue.js";
import { HeldDeliveries } from "./held-deliveries.js";
import type { Mqtt3Settings } from "./mqtt3-options.js";

/** How long an app may ask for with `Retry-After`. */
const RETRY_AFTER_AT_MOST_MS = 60_000;
/** And how soon, where `backOffInterval` is not sooner: an app that says 0 is not to be driven in a tight circle. */
const RETRY_AFTER_AT_LEAST_MS = 1_000;
const NO_PAYLOAD = new Uint8Array();

/** An attempt that counts. */
export type Failure = Extract<Verdict, { kind: "failed" }>;

/** What becomes of messages that the app refused, or that are too large for it: tried again later, held, or dropped. Says so each time. */
export class RefusedDeliveries {
	/** Those whose retries are used up, and those too large to be read. */
	readonly held: HeldDeliveries;
	readonly #settings: Mqtt3Settings;
	readonly #report: (report: Report) => void;
	readonly #between = new DueQueue<Delivery>();
	/** Messages that were acknowledged, or at QoS 0 forgotten, without the app's consent. */
	dropped = 0;

	constructor(settings: Mqtt3Settings, report: (report: Report) => void) {
		this.#settings = settings;
		this.#report = report;
		this.held = new HeldDeliveries({
			intervalMs: settings.holdIntervalMs,
			atOnce: Math.max(1, Math.floor(settings.maxInFlight / 4)),
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

	/** The app refused it. `isHeld`: it was held already, and stays so. */
	refused(delivery: Delivery, failure: Failure, isHeld: boolean): void {
		delivery.attempts++;
		delivery.detach();
		delivery.passOver();
		if (isHeld) return;
		const { backOffMaxRetries, onRetriesExhausted } = this.#settings;
		if (backOffMaxRetries < 0 || delivery.attempts <= backOffMaxRetries) {
			this.#tryAgain(delivery, failure);
		} else if (onRetriesExhausted === "hold" && delivery.packet.qos > 0 && !delivery.lost) {
			this.#hold(delivery, failure.error);
		} else {
			this.#drop(delivery, `retries are used up: ${failure.error.message}`);
		}
	}

	/** It is too large to be read. */
	oversized(delivery: Delivery): void {
		const { maxPayloadSize, onOversized } = this.#settings;
		const reason = `${delivery.packet.payloadSize} bytes are more than maxPayloadSize (${maxPayloadSize})`;
		if (onOversized === "drop") {
			this.#drop(delivery, reason);
			return;
		}
		this.held.add(delivery, performance.now());
		delivery.passOver();
		this.#say("error", "oversized", `held un-acknowledged, not tried: ${reason}`, delivery);
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

	#tryAgain(delivery: Delivery, { error, retryAfterMs }: Failure): void {
		const delayMs = this.#delayMs(retryAfterMs);
		this.postpone(delivery, delayMs);
		const message = `attempt ${delivery.attempts} failed: ${error.message}; next in ${delayMs} ms`;
		this.#say("warn", "delivery-failed", message, delivery);
	}

	#delayMs(retryAfterMs: number | undefined): number {
		const { backOffIntervalMs } = this.#settings;
		if (retryAfterMs === undefined) return backOffIntervalMs;
		const atLeast = Math.min(backOffIntervalMs, RETRY_AFTER_AT_LEAST_MS);
		return Math.min(Math.max(retryAfterMs, atLeast), RETRY_AFTER_AT_MOST_MS);
	}

	#hold(delivery: Delivery, error: Error): void {
		this.held.add(delivery, performance.now());
		const { attempts } = delivery;
		const message = `held un-acknowledged after ${attempts} attempt${attempts === 1 ? "" : "s"}, tried again about every ${this.#settings.holdIntervalMs} ms: ${error.message}`;
		this.#say("error", "held", message, delivery);
	}

	#drop(delivery: Delivery, reason: string): void {
		delivery.stage = "settled";
		this.dropped++;
		this.#say("error", "dropped", `dropped: ${reason}`, delivery);
		delivery.ack();
	}

	#say(level: Report["level"], code: string, message: string, { packet, attempts }: Delivery): void {
		const { topic, payloadSize: bytes, qos } = packet;
		this.#report({ level, code, message, details: { topic, bytes, qos, attempts } });
	}
}
