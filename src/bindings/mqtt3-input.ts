import { StateError } from "../errors.js";
import type { Delivery } from "../mqtt/delivery.js";
import type { DeliveryListener } from "../mqtt/inbound.js";
import { Alarm } from "./alarm.js";
import type { ReadHandler, Report, Verdict } from "./binding.js";
import { DeliveryQueue } from "./delivery-queue.js";
import { EventMetadata } from "./event-metadata.js";
import type { HeldDeliveries } from "./held-deliveries.js";
import type { Mqtt3Settings } from "./mqtt3-options.js";
import { quote } from "./quote.js";
import { type Failure, RefusedDeliveries } from "./refused-deliveries.js";
import { StrayTopics } from "./stray-topics.js";

/** An app that dies more often than this with one message in its hands has refused it. */
const CRASHES_WITHOUT_VERDICT = 3;
/** After an answer that says nothing, so long until the message is handed over again. */
const NO_VERDICT_PAUSE_MS = 100;

/** From delivery to verdict: hands messages to the app, and acknowledges what it accepted. */
export class Mqtt3Input implements DeliveryListener {
	readonly #settings: Mqtt3Settings;
	readonly #report: (report: Report) => void;
	readonly #queue = new DeliveryQueue();
	readonly #refused: RefusedDeliveries;
	readonly #alarm = new Alarm(() => this.#pump());
	readonly #metadata = new EventMetadata();
	readonly #strays: StrayTopics;
	readonly #stop = new AbortController();
	#handler: ReadHandler | undefined;
	readonly #running = new Set<Delivery>();
	#pausedFor: string | undefined;
	#isDraining = false;
	#isPumping = false;
	/** Told when no handler runs any more. */
	readonly #drains = new Set<() => void>();

	constructor(settings: Mqtt3Settings, report: (report: Report) => void) {
		this.#settings = settings;
		this.#report = report;
		this.#refused = new RefusedDeliveries(settings, report);
		this.#strays = new StrayTopics(settings.filters);
	}

	get isReading(): boolean {
		return this.#handler !== undefined;
	}

	/** Why nothing is handed over, until resume(). */
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
		return this.#refused.held;
	}

	/** Messages that were acknowledged or given up without the app's consent. */
	get dropped(): number {
		return this.#refused.dropped;
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

	/** Hands nothing over until resume(). */
	pause(reason: string): void {
		this.#pausedFor = reason;
	}

	resume(): void {
		if (this.#pausedFor === undefined) return;
		this.#pausedFor = undefined;
		this.held.hurry();
		this.#pump();
	}

	/** Hands nothing more over. Resolves true when no handler runs any more, false when `signal` aborted first. */
	async drain(signal: AbortSignal): Promise<boolean> {
		this.#isDraining = true;
		this.#alarm.stop();
		if (this.#running.size > 0 && !signal.aborted) {
			await new Promise<void>((resolve) => {
				const done = () => {
					this.#drains.delete(done);
					signal.removeEventListener("abort", done);
					resolve();
				};
				this.#drains.add(done);
				signal.addEventListener("abort", done);
			});
		}
		this.#stop.abort();
		return this.#running.size === 0;
	}

	delivered(delivery: Delivery): void {
		const { packet } = delivery;
		if (this.#strays.check(packet.topic) === "new") this.#reportStray(packet.topic);
		if (packet.skipped) {
			this.#refused.oversized(delivery);
		} else if (!delivery.deliverable) {
			// A handler that must end first still runs; #startSuccessor() puts it in line.
		} else if (this.#handler !== undefined && this.#mayStart && !this.#isPumping) {
			// What could start before it has started.
			this.#start(this.#handler, delivery, false);
		} else {
			this.#queue.push(delivery);
			this.#pump();
		}
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
		} else {
			if (delivery.stage === "waiting") this.#queue.died();
			this.#refused.forget(delivery);
		}
	}

	get #mayStart(): boolean {
		return this.#pausedFor === undefined && !this.#isDraining && this.#running.size < this.#settings.maxInFlight;
	}

	/** Hands over what may be; called whenever there may be something, or room for it. */
	#pump(): void {
		const handler = this.#handler;
		// A handler that answers at once leads back here: the loop below goes on with the next one.
		if (handler === undefined || this.#isPumping) return;
		this.#isPumping = true;
		if (this.#refused.waits) this.#queueDue(performance.now());
		while (this.#mayStart) {
			const held = this.held.size === 0 ? undefined : this.held.take(performance.now());
			const delivery = held ?? this.#queue.take();
			if (delivery === undefined) break;
			this.#start(handler, delivery, held !== undefined);
		}
		this.#isPumping = false;
		// Where nothing may start now, room for it leads here again.
		if (this.#mayStart && this.#refused.waits) this.#alarm.by(this.#refused.nextAt);
	}

	#queueDue(now: number): void {
		for (let due = this.#refused.takeDue(now); due !== undefined; due = this.#refused.takeDue(now)) this.#requeue(due);
	}

	/** Back in line, by its arrival; an orphan when it is adopted. */
	#requeue(delivery: Delivery): void {
		if (delivery.deliverable) this.#queue.putBack(delivery);
		else delivery.stage = "waiting";
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
		const isAccepted = verdict.kind === "accepted";
		if (isHeld) this.held.ended(delivery, isAccepted, performance.now());
		this.#startSuccessor(delivery);
		if (isAccepted) {
			delivery.stage = "settled";
			delivery.ack();
			if (isHeld) this.#refused.recovered(delivery);
		} else if (this.#stop.signal.aborted) {
			// Our own doing, whatever the handler says of it: the broker redelivers.
		} else if (delivery.state === "dead" && !delivery.lost) {
			this.#refused.forget(delivery);
		} else {
			this.#notAccepted(delivery, verdict, isHeld);
		}
		if (this.#isDraining) {
			if (this.#running.size === 0) for (const done of this.#drains) done();
		} else {
			this.#pump();
		}
	}

	#notAccepted(delivery: Delivery, verdict: Exclude<Verdict, { kind: "accepted" }>, isHeld: boolean): void {
		if (verdict.kind === "failed") {
			this.#refused.refused(delivery, verdict, isHeld);
		} else if (verdict.kind === "unreachable") {
			this.#pausedFor ??= "the app does not listen";
			if (!isHeld) this.#requeue(delivery);
		} else if (verdict.crashed && ++delivery.crashes > CRASHES_WITHOUT_VERDICT) {
			const error = new Error(`the app died ${delivery.crashes} times with this message in its hands`);
			this.#refused.refused(delivery, { kind: "failed", error }, isHeld);
		} else if (!isHeld) {
			this.#refused.postpone(delivery, NO_VERDICT_PAUSE_MS);
		}
	}

	#startSuccessor(delivery: Delivery): void {
		const { successor } = delivery;
		if (successor === undefined) return;
		delivery.successor = undefined;
		if (successor.stage === "waiting" && successor.deliverable) this.#queue.putBack(successor);
	}

	#reportStray(topic: string): void {
		this.#report({
			level: "warn",
			code: "stray-topic",
			message: `topic ${quote(topic)} matches none of our filters, it comes from an older subscription of this session; delivered all the same (the field "unsubscribe", which leaves such filters, comes with a later version; until then a new consumerID, or one start with cleanSession: true, does)`,
			details: { topic },
		});
	}
}

function failure(error: unknown): Failure {
	return { kind: "failed", error: error instanceof Error ? error : new Error(String(error)) };
}
