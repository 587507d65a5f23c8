import { StateError } from "../errors.js";
import type { Delivery } from "../mqtt/delivery.js";
import type { DeliveryListener } from "../mqtt/inbound.js";
import { ACCEPTED, type ReadHandler, type Report, type Verdict } from "./binding.js";
import { DeliveryQueue } from "./delivery-queue.js";
import { DueQueue } from "./due-queue.js";
import { EventMetadata } from "./event-metadata.js";
import { HeldDeliveries } from "./held-deliveries.js";
import type { Mqtt3Settings } from "./mqtt3-options.js";
import { StrayTopics } from "./stray-topics.js";

/** An app that dies so often with one message in its hands has refused it. */
const CRASHES_WITHOUT_VERDICT = 3;
/** After an answer that says nothing, so long until the message is handed over again. */
const NO_VERDICT_PAUSE_MS = 100;

type Failure = Extract<Verdict, { kind: "failed" }>;

/**
 * From delivery to verdict: hands messages to the app, tries again what it refused, holds or drops what it keeps refusing, and
 * acknowledges what it accepted. Never acknowledges anything else.
 */
export class Mqtt3Input implements DeliveryListener {
	readonly #settings: Mqtt3Settings;
	readonly #report: (report: Report) => void;
	readonly #queue = new DeliveryQueue();
	readonly #retries = new DueQueue<Delivery>();
	readonly #held: HeldDeliveries;
	readonly #metadata = new EventMetadata();
	readonly #strays: StrayTopics;
	readonly #stop = new AbortController();
	#handler: ReadHandler | undefined;
	readonly #running = new Set<Delivery>();
	#pausedFor: string | undefined;
	#isDraining = false;
	#isPumping = false;
	#drained: () => void = () => {};
	#timer: NodeJS.Timeout | undefined;
	#timerAt = Number.POSITIVE_INFINITY;
	/** Messages that were acknowledged or given up without the app's consent. */
	dropped = 0;

	constructor(settings: Mqtt3Settings, report: (report: Report) => void) {
		this.#settings = settings;
		this.#report = report;
		this.#held = new HeldDeliveries({
			intervalMs: settings.holdIntervalMs,
			atOnce: Math.max(1, Math.floor(settings.maxInFlight / 4)),
		});
		this.#strays = new StrayTopics(settings.filters);
	}

	get isReading(): boolean {
		return this.#handler !== undefined;
	}

	/** Why nothing is handed over at the moment. */
	get pausedFor(): string | undefined {
		return this.#pausedFor;
	}

	/** Deliveries that handlers have now. */
	get running(): ReadonlySet<Delivery> {
		return this.#running;
	}

	get waiting(): number {
		return this.#queue.size;
	}

	/** Deliveries whose retries are used up, and those too large to be read. */
	get held(): HeldDeliveries {
		return this.#held;
	}

	/** Messages that matched none of our filters. */
	get strays(): number {
		return this.#strays.count;
	}

	/** Hands everything to `handler` from now on. Throws StateError when somebody reads already. */
	read(handler: ReadHandler): void {
		if (this.#handler !== undefined) throw new StateError("this binding is read already");
		this.#handler = handler;
		this.#pump();
	}

	pause(reason: string): void {
		this.#pausedFor = reason;
	}

	resume(): void {
		if (this.#pausedFor === undefined) return;
		this.#pausedFor = undefined;
		this.#held.hurry();
		this.#pump();
	}

	/** Hands nothing more over. Resolves true when no handler runs any more, false when `signal` aborted first. */
	async drain(signal: AbortSignal): Promise<boolean> {
		this.#isDraining = true;
		clearTimeout(this.#timer);
		this.#timerAt = Number.POSITIVE_INFINITY;
		if (this.#running.size > 0 && !signal.aborted) {
			await new Promise<void>((resolve) => {
				this.#drained = resolve;
				signal.addEventListener("abort", () => resolve(), { once: true });
			});
		}
		this.#stop.abort();
		return this.#running.size === 0;
	}

	delivered(delivery: Delivery): void {
		const { packet } = delivery;
		if (this.#strays.check(packet.topic) === "new") {
			this.#report({
				level: "warn",
				code: "stray-topic",
				message: `topic ${JSON.stringify(packet.topic)} matches none of our filters, it comes from an older subscription of this session; delivered all the same ("unsubscribe" will leave such filters)`,
				details: { topic: packet.topic },
			});
		}
		if (packet.skipped) {
			this.#oversized(delivery);
		} else if (!delivery.deliverable) {
			// Its predecessor's handler runs; #startSuccessor() puts it in line.
		} else if (this.#queue.size === 0 && this.#held.size === 0 && this.#handler !== undefined && this.#mayStart) {
			this.#start(this.#handler, delivery, false);
		} else {
			this.#queue.push(delivery);
			this.#pump();
		}
	}

	get #mayStart(): boolean {
		return this.#pausedFor === undefined && !this.#isDraining && this.#running.size < this.#settings.maxInFlight;
	}

	adopted(delivery: Delivery): void {
		if (delivery.stage === "waiting" && delivery.deliverable) this.#queue.putBack(delivery);
		this.#pump();
	}

	orphaned(): void {
		this.#queue.dropUndeliverable();
		for (const delivery of this.#running) delivery.detach();
	}

	died(delivery: Delivery): void {
		if (delivery.lost) {
			this.#queue.push(delivery);
			this.#pump();
			return;
		}
		this.#held.delete(delivery);
		delivery.stage = "settled";
	}

	#pump(): void {
		const handler = this.#handler;
		// A handler that answers at once leads back here: the loop below goes on with the next one.
		if (handler === undefined || this.#isPumping) return;
		this.#isPumping = true;
		while (this.#mayStart) {
			const held = this.#held.size === 0 ? undefined : this.#held.take(performance.now());
			const delivery = held ?? this.#queue.take();
			if (delivery === undefined) break;
			this.#start(handler, delivery, held !== undefined);
		}
		this.#isPumping = false;
		if (this.#held.size > 0) this.#arm(this.#held.nextAt);
	}

	#start(handler: ReadHandler, delivery: Delivery, isHeld: boolean): void {
		delivery.stage = "at-app";
		delivery.running = true;
		delivery.started = true;
		delivery.at = performance.now();
		this.#running.add(delivery);
		const event = {
			data: delivery.packet.payload,
			metadata: this.#metadata.of(delivery),
			contentType: this.#settings.contentType,
		};
		let verdict: Verdict | Promise<Verdict>;
		try {
			verdict = handler(event, this.#stop.signal);
		} catch (error) {
			verdict = failure(error);
		}
		if ("kind" in verdict) {
			this.#ended(delivery, verdict, isHeld);
			return;
		}
		verdict.then(
			(result) => this.#ended(delivery, result, isHeld),
			(error: unknown) => this.#ended(delivery, failure(error), isHeld),
		);
	}

	#ended(delivery: Delivery, verdict: Verdict, isHeld: boolean): void {
		delivery.running = false;
		this.#running.delete(delivery);
		if (isHeld) this.#held.ended(delivery, verdict === ACCEPTED || verdict.kind === "accepted", performance.now());
		this.#startSuccessor(delivery);
		switch (verdict.kind) {
			case "accepted":
				delivery.stage = "settled";
				delivery.ack();
				break;
			case "failed":
				this.#failed(delivery, verdict, isHeld);
				break;
			case "none":
				if (verdict.crashed && ++delivery.crashes > CRASHES_WITHOUT_VERDICT) {
					const error = new Error(`the app died ${delivery.crashes} times with this message in its hands`);
					this.#failed(delivery, { kind: "failed", error }, isHeld);
				} else {
					this.#giveBack(delivery, isHeld, NO_VERDICT_PAUSE_MS);
				}
				break;
			case "unreachable":
				this.#pausedFor ??= "the app does not listen";
				this.#giveBack(delivery, isHeld, 0);
				break;
		}
		if (this.#isDraining) {
			if (this.#running.size === 0) this.#drained();
		} else {
			this.#pump();
		}
	}

	#startSuccessor(delivery: Delivery): void {
		const { successor } = delivery;
		if (successor === undefined) return;
		delivery.successor = undefined;
		successor.after = undefined;
		if (successor.stage === "waiting" && successor.deliverable) this.#queue.putBack(successor);
	}

	/** Not an attempt: back to where it was, with its place and attempts unchanged. */
	#giveBack(delivery: Delivery, isHeld: boolean, pauseMs: number): void {
		if (isHeld || this.#isOver(delivery)) return;
		if (pauseMs > 0) {
			delivery.stage = "between";
			this.#schedule(delivery, pauseMs);
		} else if (delivery.deliverable) {
			this.#queue.putBack(delivery);
		} else {
			delivery.stage = "waiting";
		}
	}

	/** Its message was given another delivery, or forgotten: nothing is left to do. */
	#isOver(delivery: Delivery): boolean {
		if (delivery.state !== "dead" || delivery.lost) return false;
		this.#held.delete(delivery);
		delivery.stage = "settled";
		return true;
	}

	#failed(delivery: Delivery, { error }: Failure, isHeld: boolean): void {
		if (this.#isOver(delivery)) return;
		delivery.attempts++;
		delivery.detach();
		delivery.passOver();
		if (isHeld) return;
		const { backOffMaxRetries, backOffIntervalMs, onRetriesExhausted } = this.#settings;
		if (backOffMaxRetries < 0 || delivery.attempts <= backOffMaxRetries) {
			delivery.stage = "between";
			this.#schedule(delivery, backOffIntervalMs);
			this.#report({
				level: "warn",
				code: "delivery-failed",
				message: `attempt ${delivery.attempts} failed: ${error.message}; next in ${backOffIntervalMs} ms`,
				details: describe(delivery),
			});
		} else if (onRetriesExhausted === "hold" && delivery.packet.qos > 0 && !delivery.lost) {
			this.#hold(delivery, error);
		} else {
			this.#drop(delivery, `retries are used up: ${error.message}`);
		}
	}

	#schedule(delivery: Delivery, delayMs: number): void {
		const at = performance.now() + delayMs;
		this.#retries.push(delivery, at);
		this.#arm(at);
	}

	#hold(delivery: Delivery, error: Error): void {
		this.#held.add(delivery, performance.now());
		this.#arm(this.#held.nextAt);
		this.#report({
			level: "error",
			code: "held",
			message: `held un-acknowledged after ${delivery.attempts} attempts, tried again about every ${this.#settings.holdIntervalMs} ms: ${error.message}`,
			details: describe(delivery),
		});
	}

	#drop(delivery: Delivery, reason: string): void {
		delivery.stage = "settled";
		this.dropped++;
		this.#report({
			level: "error",
			code: "dropped",
			message: `dropped: ${reason}`,
			details: describe(delivery),
		});
		delivery.ack();
	}

	#oversized(delivery: Delivery): void {
		const { maxPayloadSize, onOversized } = this.#settings;
		const reason = `${delivery.packet.payloadSize} bytes are more than maxPayloadSize (${maxPayloadSize})`;
		if (onOversized === "drop") {
			this.#drop(delivery, reason);
			return;
		}
		this.#held.add(delivery, performance.now());
		delivery.passOver();
		this.#report({
			level: "error",
			code: "oversized",
			message: `held un-acknowledged, not tried: ${reason}`,
			details: describe(delivery),
		});
	}

	/** One timer for everything that is due again. */
	#arm(at: number): void {
		if (at >= this.#timerAt || this.#isDraining) return;
		clearTimeout(this.#timer);
		this.#timerAt = at;
		this.#timer = setTimeout(() => this.#tick(), Math.max(1, at - performance.now()));
	}

	#tick(): void {
		this.#timerAt = Number.POSITIVE_INFINITY;
		const now = performance.now();
		for (let delivery = this.#retries.take(now); delivery !== undefined; delivery = this.#retries.take(now)) {
			if (delivery.stage !== "between") continue;
			if (delivery.deliverable) this.#queue.putBack(delivery);
			else delivery.stage = "waiting";
		}
		this.#arm(this.#retries.nextAt);
		this.#pump();
	}
}

function failure(error: unknown): Failure {
	return { kind: "failed", error: error instanceof Error ? error : new Error(String(error)) };
}

function describe({ packet, attempts }: Delivery): Record<string, string | number> {
	return { topic: packet.topic, bytes: packet.payloadSize, qos: packet.qos, attempts };
}
