import { MqttProtocolError } from "../errors.js";
import { Backoff, SLOW_BACKOFF } from "./backoff.js";
import type { Subscription } from "./packet.js";
import { PacketIds } from "./packet-ids.js";

/** SUBSCRIBE has identifiers of its own, so that publishes can never use them up. */
const FIRST_PACKET_ID = 65_520;
const LAST_PACKET_ID = 65_535;
/** A subscription that the broker confirmed this long ago, in a session resumed ever since, is taken as saved. */
const TRUSTED_AFTER_MS = 60 * 60 * 1000;
const REFUSED = 0x80;

/** A filter that the broker did not grant as asked. */
export interface SubscriptionProblem {
	readonly filter: string;
	/** 0x80: refused. Otherwise the QoS granted in place of the one asked for. */
	readonly granted: number;
	readonly asked: number;
	/** False: deliveries still come with a guarantee (1 where 2 was asked). */
	readonly blocking: boolean;
}

/**
 * When to SUBSCRIBE, and what came of it. Pure but for the clock it is given.
 *
 * A SUBSCRIBE follows every CONNACK, because a broker that was killed may come back with the session as it last saved it, and because a
 * CONNACK that got lost may have left a session without our subscriptions. Only after an hour of proof is a resumed session trusted.
 */
export class Subscriptions {
	readonly #wanted: readonly Subscription[];
	readonly #ids = new PacketIds(FIRST_PACKET_ID, LAST_PACKET_ID);
	readonly #granted = new Map<string, number>();
	readonly #backoff = new Backoff(SLOW_BACKOFF);
	#requested = false;
	#pending:
		| { readonly packetId: number; readonly subscriptions: readonly Subscription[]; readonly sentAt: number }
		| undefined;
	/** Filters to ask for on this connection as soon as possible. */
	#due: readonly Subscription[] = [];
	/** When to ask again for what was refused. */
	#retryAt = Number.POSITIVE_INFINITY;
	/** Since when SUBACKs for all filters are known, the session resumed ever since. */
	#provenSince: number | undefined;
	/** A CONNECT was written whose CONNACK was not read. */
	#connectUnanswered = false;
	readonly #unwanted: readonly string[];
	/** The UNSUBSCRIBE at hand. */
	#leaving: { readonly packetId: number; readonly sentAt: number } | undefined;
	/** Filters to leave on this connection as soon as possible. */
	#leaveDue: readonly string[] = [];

	/** `unwanted`: filters that the session may have from earlier and that are left on each connection. */
	constructor(wanted: readonly Subscription[], unwanted: readonly string[] = []) {
		this.#wanted = wanted;
		this.#unwanted = unwanted;
	}

	/** Somebody reads from now on. True the first time. */
	request(): boolean {
		if (this.#requested || this.#wanted.length === 0) return false;
		this.#requested = true;
		this.#due = this.#wanted;
		this.#leaveDue = this.#unwanted;
		return true;
	}

	get isRequested(): boolean {
		return this.#requested;
	}

	/** Every filter was answered, as far as the present session goes. */
	get isComplete(): boolean {
		return this.#requested && this.#wanted.every(({ filter }) => this.#granted.has(filter));
	}

	/** Since when the SUBSCRIBE or UNSUBSCRIBE at hand is unanswered. */
	get pendingSince(): number | undefined {
		const [subscribe, unsubscribe] = [this.#pending?.sentAt, this.#leaving?.sentAt];
		if (subscribe === undefined || unsubscribe === undefined) return subscribe ?? unsubscribe;
		return Math.min(subscribe, unsubscribe);
	}

	problems(): readonly SubscriptionProblem[] {
		const problems: SubscriptionProblem[] = [];
		for (const { filter, qos } of this.#wanted) {
			const granted = this.#granted.get(filter);
			if (granted === undefined || granted === qos) continue;
			problems.push({ filter, granted, asked: qos, blocking: isInsufficient(granted, qos) });
		}
		return problems;
	}

	/** A CONNECT leaves. */
	connectWritten(): void {
		if (this.#connectUnanswered) this.#provenSince = undefined;
		this.#connectUnanswered = true;
	}

	/** Its CONNACK was read. */
	connected(sessionPresent: boolean, now: number): void {
		this.#connectUnanswered = false;
		if (!sessionPresent) {
			this.#provenSince = undefined;
			this.#granted.clear();
		}
		this.#pending = undefined;
		this.#leaveDue = this.#requested ? this.#unwanted : [];
		const trusted = this.#provenSince !== undefined && now - this.#provenSince > TRUSTED_AFTER_MS;
		this.#due = this.#requested && !trusted ? this.#wanted : [];
		if (trusted) this.#scheduleRetry(now);
	}

	disconnected(): void {
		for (const request of [this.#pending, this.#leaving]) if (request !== undefined) this.#ids.free(request.packetId);
		this.#pending = undefined;
		this.#leaving = undefined;
		this.#due = [];
		this.#leaveDue = [];
		this.#retryAt = Number.POSITIVE_INFINITY;
	}

	/** What to SUBSCRIBE to now, if anything; it counts as sent. */
	take(now: number): { readonly packetId: number; readonly subscriptions: readonly Subscription[] } | undefined {
		if (this.#pending !== undefined) return undefined;
		if (now >= this.#retryAt) {
			this.#retryAt = Number.POSITIVE_INFINITY;
			this.#due = this.#wanted.filter(({ filter, qos }) => isInsufficient(this.#granted.get(filter) ?? REFUSED, qos));
		}
		if (this.#due.length === 0) return undefined;
		const subscriptions = this.#due;
		this.#due = [];
		this.#pending = { packetId: this.#ids.take(), subscriptions, sentAt: now }; // [MQTT-2.3.1-2]
		return this.#pending;
	}

	/** What to UNSUBSCRIBE from now, if anything; it counts as sent. */
	takeLeaving(now: number): { readonly packetId: number; readonly filters: readonly string[] } | undefined {
		if (this.#leaving !== undefined || this.#leaveDue.length === 0) return undefined;
		const filters = this.#leaveDue;
		this.#leaveDue = [];
		this.#leaving = { packetId: this.#ids.take(), sentAt: now }; // [MQTT-2.3.1-2]
		return { packetId: this.#leaving.packetId, filters };
	}

	/** Nobody reads any more, for good: every filter is to be left. False when none was asked for. */
	leaveAll(): boolean {
		if (!this.#requested) return false;
		this.#requested = false;
		this.#due = [];
		this.#leaveDue = this.#wanted.map(({ filter }) => filter);
		return true;
	}

	/** An UNSUBSCRIBE is due or unanswered. */
	get isLeaving(): boolean {
		return this.#leaving !== undefined || this.#leaveDue.length > 0;
	}

	/** UNSUBACK. */
	left(packetId: number): void {
		if (this.#leaving?.packetId !== packetId) {
			throw new MqttProtocolError("MQTT-4.8.0-1", `UNSUBACK ${packetId} for no UNSUBSCRIBE of ours`);
		}
		this.#ids.free(packetId);
		this.#leaving = undefined;
	}

	/** SUBACK. Returns the filters that were not granted as asked. */
	answered(packetId: number, returnCodes: readonly number[], now: number): readonly SubscriptionProblem[] {
		const pending = this.#pending;
		if (pending === undefined || pending.packetId !== packetId) {
			throw new MqttProtocolError("MQTT-3.8.4-2", `SUBACK ${packetId} for no SUBSCRIBE of ours`);
		}
		if (returnCodes.length !== pending.subscriptions.length) {
			throw new MqttProtocolError(
				"MQTT-3.8.4-5",
				`SUBACK with ${returnCodes.length} return codes for ${pending.subscriptions.length} filters`,
			);
		}
		this.#ids.free(packetId);
		this.#pending = undefined;
		let hasChanged = false;
		for (const [index, { filter, qos }] of pending.subscriptions.entries()) {
			const granted = returnCodes[index]!;
			if (granted !== REFUSED && granted > qos) {
				throw new MqttProtocolError("MQTT-3.8.4-6", `QoS ${granted} granted where ${qos} was asked`);
			}
			if (this.#granted.get(filter) !== granted) hasChanged = true;
			this.#granted.set(filter, granted);
		}
		// What was granted late is as easily forgotten by a broker that is killed as what was granted first.
		if (hasChanged) this.#provenSince = undefined;
		if (this.isComplete) this.#provenSince ??= now;
		this.#scheduleRetry(now);
		return this.problems();
	}

	#scheduleRetry(now: number): void {
		if (this.problems().some(({ blocking }) => blocking)) {
			this.#retryAt = now + this.#backoff.next();
		} else {
			this.#retryAt = Number.POSITIVE_INFINITY;
			this.#backoff.reset();
		}
	}
}

/** Refused, or without the guarantee that was asked for. */
function isInsufficient(granted: number, asked: number): boolean {
	return granted === REFUSED || (granted === 0 && asked > 0);
}
