import type { MqttConnectionError } from "../errors.js";
import { OrderWatch } from "./order-watch.js";
import { TakeoverWatch } from "./takeover-watch.js";

/** What was under way when a connection ended. */
export interface Unfinished {
	/** A publish of ours was unanswered. */
	readonly publish: boolean;
	/** A SUBSCRIBE or UNSUBSCRIBE of ours was. */
	readonly subscription: boolean;
}

/** Whether the broker ended the connection, by FIN or by RST; our own closes are local. */
export function isByBroker({ reason }: MqttConnectionError): boolean {
	return reason === "closed" || reason === "reset";
}

/** What repeated ends of connections say of the broker and of other clients: docs/decisions/0017. Pure but for the clock it is given. */
export class BrokerHabits {
	readonly #takeover = new TakeoverWatch();
	readonly #order = new OrderWatch();

	/** Another client with our identifier evicts us, as we evict it. */
	get isTakenOver(): boolean {
		return this.#takeover.isOn;
	}

	/** An acknowledgement left before that of a message which came earlier. */
	overtook(now: number): void {
		this.#order.overtook(now);
	}

	/** A connection that was online has ended. True when the broker was seen to insist on the order of acknowledgements. */
	ended(cause: MqttConnectionError, unfinished: Unfinished, now: number): boolean {
		const isIdle = !unfinished.publish && !unfinished.subscription && !this.#order.overtookRecently(now);
		// A broker ends the older of two connections in order, not by RST.
		this.#takeover.ended(cause.reason === "closed" && isIdle);
		return isByBroker(cause) && this.#order.ended(now, unfinished.publish);
	}

	/** An attempt failed. */
	failed(): void {
		this.#takeover.failed();
	}

	/** An attempt was accepted. True when this is what gives another client away. */
	accepted(now: number): boolean {
		return this.#takeover.accepted(now);
	}

	/** Called about once a second. True when the other client has been gone for long enough. */
	look(now: number): boolean {
		return this.#takeover.look(now);
	}
}
