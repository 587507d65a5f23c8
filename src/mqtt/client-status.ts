import type { BrokerUrl } from "./broker-url.js";
import type { LossCounts } from "./loss-cause.js";
import type { SubscriptionProblem } from "./subscriptions.js";

/** offline: waiting for the next attempt · connecting · online: CONNACK read · closed: for good. */
export type ClientState = "offline" | "connecting" | "online" | "closed";

/** What a client can say of itself, for readiness and metrics. */
export interface ClientStatus {
	readonly state: ClientState;
	/** Since when, by performance.now(). */
	readonly since: number;
	/** The broker that is connected, or that was tried last. */
	readonly url: BrokerUrl;
	/** Why it is not online. */
	readonly cause: Error | undefined;
	/** CONNECTs accepted so far. */
	readonly connects: number;
	/** Attempts that failed and connections that ended, by cause. */
	readonly losses: LossCounts;
	/** How often the broker had lost the session. */
	readonly sessionsLost: number;
	/** Unfinished deliveries whose connection is gone. */
	readonly orphans: number;
	/** Somebody reads: SUBSCRIBE was asked for. */
	readonly subscribing: boolean;
	/** Every filter was answered in this session. */
	readonly subscribed: boolean;
	readonly problems: readonly SubscriptionProblem[];
	readonly clientId: string;
	/** Another client uses our client identifier: the two evict each other. */
	readonly takenOver: boolean;
	/** Acknowledgements leave strictly in the order of arrival, as configured or because the broker insists. */
	readonly strict: boolean;
	/** The broker was seen to insist on that. */
	readonly insistsOnOrder: boolean;
	/** Un-acknowledged messages of this connection. */
	readonly outstanding: number;
	/** Their bytes. */
	readonly buffered: number;
	/** Publishes that wait or are unanswered. */
	readonly pending: number;
	/** Answers of the broker to publishes that nobody made, or that were answered before. */
	readonly unexpectedAnswers: number;
	/** Publishes that the broker took over after their caller had been told that the outcome is unknown. */
	readonly lateAnswers: number;
	/** How many messages this broker was seen to leave un-acknowledged before it waits. */
	readonly window: number | undefined;
	/** When the last PUBLISH came, by performance.now(); 0: none yet. */
	readonly lastArrival: number;
}

/** In words, for readiness and logs. */
export function subscriptionText({ filter, granted, asked }: SubscriptionProblem): string {
	return granted === 0x80
		? `the broker refused the subscription to ${JSON.stringify(filter)}`
		: `the broker granted QoS ${granted} for ${JSON.stringify(filter)} where QoS ${asked} was asked${granted === 0 ? ": deliveries come without a guarantee" : ""}`;
}

/** In words, for readiness and logs. */
export function takeoverText(clientId: string, href: string): string {
	return `another client uses the client identifier ${JSON.stringify(clientId)} at ${href}, the two evict each other: give each a consumerID of its own (two replicas of one app, an old version still running, a daprd beside it)`;
}
