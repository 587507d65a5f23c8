import { StateError } from "../errors.js";
import type { Delivery } from "../mqtt/delivery.js";
import type { DeliveryListener } from "../mqtt/inbound.js";
import type { ApplicationMessage } from "../mqtt/packet.js";
import { Alarm } from "./alarm.js";
import type { ReadHandler, Report, Verdict } from "./binding.js";
import { DeadLetters } from "./dead-letters.js";
import { DeliveryQueue } from "./delivery-queue.js";
import { EventMetadata } from "./event-metadata.js";
import { type HandlerCall, HandlerDeadlines } from "./handler-deadlines.js";
import type { HeldDeliveries } from "./held-deliveries.js";
import { goesOn, Lanes } from "./lanes.js";
import type { Mqtt3Settings } from "./mqtt3-options.js";
import { quote } from "./quote.js";
import { type Failure, RefusedDeliveries } from "./refused-deliveries.js";
import { StrayTopics } from "./stray-topics.js";

/** An app that dies more often than this with one message in its hands has refused it. */
const CRASHES_WITHOUT_VERDICT = 3;
/** After an answer that says nothing, so long until the message is handed over again. */
const NO_VERDICT_PAUSE_MS = 100;

export interface Mqtt3InputOptions {
	/** The component's name. */
	readonly component: string;
	readonly settings: Mqtt3Settings;
	readonly report: (report: Report) => void;
	/** Publishes a dead letter; resolves when the broker has acknowledged it. */
	readonly publish: (message: ApplicationMessage) => Promise<void>;
}

/** From delivery to verdict: hands messages to the app, and acknowledges what it accepted. */
export class Mqtt3Input implements DeliveryListener {
	readonly #settings: Mqtt3Settings;
	readonly #report: (report: Report) => void;
	readonly #queue = new DeliveryQueue();
	readonly #refused: RefusedDeliveries;
	/** Present with `ordering: topic`. */
	readonly #lanes: Lanes | undefined;
	/** Present with `handlerTimeout`. */
	readonly #deadlines: HandlerDeadlines | undefined;
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

	constructor({ component, settings, report, publish }: Mqtt3InputOptions) {
		this.#settings = settings;
		this.#report = report;
		const { deadLetter, maxPayloadSize, handlerTimeoutMs } = settings;
		const lanes = settings.ordering === "topic" ? new Lanes() : undefined;
		this.#lanes = lanes;
		this.#refused = new RefusedDeliveries({
			settings,
			report,
			deadLetters: deadLetter && new DeadLetters({ component, settings: deadLetter, maxPayloadSize, publish }),
			mayStart: lanes && ((delivery) => lanes.isCurrent(delivery)),
			finished: (delivery) => this.#finished(delivery),
		});
		if (handlerTimeoutMs !== undefined) {
			const reason = `no answer within handlerTimeout (${handlerTimeoutMs} ms)`;
			const late = failure(new Error(reason));
			this.#deadlines = new HandlerDeadlines(handlerTimeoutMs, (call) => this.#ended(call.delivery, late, call.isHeld));
		}
		this.#strays = new StrayTopics(settings.filters, settings.unsubscribe);
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

	/** What became of messages that the app did not take. */
	get refused(): Pick<RefusedDeliveries, "dropped" | "deadLettered" | "deadLettersFailed" | "deadLetters"> {
		return this.#refused;
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

	/**
	 * Hands nothing more over. Resolves true when no handler runs any more and no dead letter is on its way, false when `signal` aborted
	 * first. What the app refuses meanwhile stays with the broker.
	 */
	async drain(signal: AbortSignal): Promise<boolean> {
		this.#isDraining = true;
		this.#alarm.stop();
		if (!this.#isIdle && !signal.aborted) {
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
		this.#refused.stop();
		this.#deadlines?.stop();
		this.#stop.abort();
		return this.#isIdle;
	}

	get #isIdle(): boolean {
		return this.#running.size === 0 && (this.#refused.deadLetters?.pending ?? 0) === 0;
	}

	delivered(delivery: Delivery): void {
		const { packet } = delivery;
		const stray = this.#strays.check(packet.topic);
		if (stray === "left") {
			this.#refused.unsubscribed(delivery);
			return;
		}
		if (stray === "new") this.#reportStray(packet.topic);
		if (packet.skipped) {
			this.#refused.oversized(delivery);
		} else if (this.#lanes?.enter(delivery) === false) {
			// Its turn comes when those before it are finished.
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
		// What is settled only waits for its acknowledgement, and what is too large is not tried.
		if (delivery.stage !== "settled" && !this.held.oversized.has(delivery)) this.#lanes?.enter(delivery);
		this.#queueAgain(delivery);
		this.#pump();
	}

	orphaned(): void {
		this.#queue.dropUndeliverable();
		for (const delivery of this.#running) delivery.detach();
		for (const next of this.#lanes?.orphaned() ?? []) this.#queueAgain(next);
		this.#pump();
	}

	died(delivery: Delivery): void {
		if (delivery.lost) {
			if (this.#lanes?.enter(delivery) === false) return;
			this.#queue.push(delivery);
			this.#pump();
		} else {
			if (delivery.stage === "waiting") this.#queue.died();
			this.#refused.forget(delivery);
			// A handler that runs keeps its lane until it ends.
			if (!delivery.running) this.#leaveLane(delivery);
		}
	}

	passedOver(delivery: Delivery): void {
		this.#lanes?.passedOver(delivery);
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

	/** Back in line, by its arrival; an orphan when it is adopted, and one of a lane when its turn comes. */
	#requeue(delivery: Delivery): void {
		delivery.stage = "waiting";
		this.#queueAgain(delivery);
	}

	/** Puts one that waits in line, unless something stands in its way. */
	#queueAgain(delivery: Delivery): void {
		if (delivery.stage !== "waiting" || !delivery.deliverable) return;
		if (this.#lanes?.isCurrent(delivery) !== false) this.#queue.putBack(delivery);
	}

	/** It is finished, or not ours any more: the next of its topic may start. */
	#leaveLane(delivery: Delivery): void {
		const next = this.#lanes?.leave(delivery);
		if (next !== undefined) this.#queueAgain(next);
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
		const call = this.#deadlines?.begin(delivery, isHeld);
		let verdict: Verdict | Promise<Verdict>;
		try {
			verdict = handler(event, call?.controller.signal ?? this.#stop.signal);
		} catch (error) {
			verdict = failure(error);
		}
		if ("kind" in verdict) {
			this.#answered(delivery, verdict, isHeld, call);
			return;
		}
		verdict.then(
			(result) => this.#answered(delivery, result, isHeld, call),
			(error: unknown) => this.#answered(delivery, failure(error), isHeld, call),
		);
	}

	#answered(delivery: Delivery, verdict: Verdict, isHeld: boolean, call: HandlerCall | undefined): void {
		// After its deadline the call was an attempt that failed, whatever it says now.
		if (call === undefined || this.#deadlines?.end(call)) this.#ended(delivery, verdict, isHeld);
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
		} else if (this.#isDraining) {
			// It stays with the broker: nothing is tried again, dead-lettered or dropped any more.
		} else if (delivery.state === "dead" && !delivery.lost) {
			this.#refused.forget(delivery);
		} else {
			this.#notAccepted(delivery, verdict, isHeld);
		}
		this.#finished(delivery);
	}

	/** What follows when an attempt, or a dead letter, has come to its end. */
	#finished(delivery: Delivery): void {
		const isOver = delivery.stage === "settled" || this.held.oversized.has(delivery);
		if (this.#lanes !== undefined && (isOver || !goesOn(delivery))) this.#leaveLane(delivery);
		if (!this.#isDraining) this.#pump();
		else if (this.#isIdle) for (const done of this.#drains) done();
	}

	#notAccepted(delivery: Delivery, verdict: Exclude<Verdict, { kind: "accepted" }>, isHeld: boolean): void {
		if (verdict.kind === "failed") {
			this.#refused.refused(delivery, verdict, isHeld);
		} else if (verdict.kind === "unfit") {
			this.held.delete(delivery);
			this.#refused.unfit(delivery, verdict.error);
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
		this.#queueAgain(successor);
	}

	#reportStray(topic: string): void {
		this.#report({
			level: "warn",
			code: "stray-topic",
			message: `topic ${quote(topic)} matches none of our filters, it comes from an older subscription of this session; delivered all the same: name its filter in "unsubscribe" to leave it`,
			details: { topic },
		});
	}
}

function failure(error: unknown): Failure {
	if (!(error instanceof Error)) return { kind: "failed", error: new Error(String(error)) };
	// What `dropOn` and `deadLetterOn` compare: an AppError's, or that of any error a handler throws.
	const { status } = error as { readonly status?: unknown };
	const hasStatus = typeof status === "number" || typeof status === "string";
	return { kind: "failed", error, ...(hasStatus && { status }) };
}
