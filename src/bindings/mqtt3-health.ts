import type { MqttClient } from "../mqtt/client.js";
import { type ClientStatus, subscriptionText, takeoverText } from "../mqtt/client-status.js";
import type { Delivery } from "../mqtt/delivery.js";
import type { HealthReason } from "./binding.js";
import type { Mqtt3Input } from "./mqtt3-input.js";
import type { Mqtt3Settings } from "./mqtt3-options.js";
import { quote } from "./quote.js";

/** Nothing new for so long, and nothing that could make room: the input is stalled. */
const STALLED_AFTER_MS = 5_000;
/** Brokers' windows are hardly ever smaller; fewer un-acknowledged messages stop nothing. */
const STALLED_FROM = 10;
/** A handler that has had a message for longer is worth a word. */
const SLOW_AFTER_MS = 60_000;
const NAMED_AT_MOST = 3;

/** What is asked of a client about its messages. */
export interface Intake {
	status(): Pick<ClientStatus, "outstanding" | "lastArrival" | "window" | "strict">;
	unacknowledged(): Iterable<Delivery>;
}

/** Why a connection is not in order, in words. */
export function connectionReasons(client: Pick<MqttClient, "status">, reads: boolean): HealthReason[] {
	const { state, cause, url, subscribed, subscribing, problems } = client.status();
	const { clientId, takenOver, insistsOnOrder } = client.status();
	const reasons: HealthReason[] = [];
	if (takenOver) reasons.push(blocking("taken-over", takeoverText(clientId, url.href)));
	if (state !== "online") {
		const why = cause === undefined ? "" : `: ${cause.message}`;
		reasons.push(blocking("not-connected", `not connected to ${url.href} (${state})${why}`));
	} else if (reads && subscribing && !subscribed) {
		reasons.push(blocking("not-subscribed", `${url.href} has not answered SUBSCRIBE yet`));
	}
	for (const problem of problems) {
		const code = problem.granted === 0x80 ? "subscription-refused" : "subscription-downgraded";
		reasons.push({ code, message: subscriptionText(problem), blocking: problem.blocking });
	}
	if (insistsOnOrder) {
		const message = `${url.href} insists on acknowledgements in the order of arrival: a refused message stops those behind it, as with ackOrder: strict`;
		reasons.push(worthKnowing("strict-order", message));
	}
	return reasons;
}

/** What stands in the way between broker and app, in words. */
export function deliveryReasons(client: Intake, input: Mqtt3Input): HealthReason[] {
	if (!input.isReading) {
		if (input.waiting === 0) return [];
		return [blocking("unread", `the session holds messages and nobody reads: ${input.waiting} wait here`)];
	}
	const now = performance.now();
	const reasons: HealthReason[] = [];
	if (input.pausedFor !== undefined) {
		reasons.push(blocking("paused", `nothing is handed over: ${input.pausedFor}`));
	}
	const { outstanding, lastArrival, window, strict: isStrict } = client.status();
	const silentMs = now - lastArrival;
	if (
		outstanding >= Math.min(STALLED_FROM, window ?? STALLED_FROM) &&
		silentMs >= STALLED_AFTER_MS &&
		isStuck(client.unacknowledged(), isStrict)
	) {
		const seconds = Math.round(silentMs / 1_000);
		reasons.push(
			blocking(
				"stalled",
				`stalled: nothing new for ${seconds} s, and each of the ${outstanding} messages that the broker waits for was refused by the app or waits behind such a one (${topics(client.unacknowledged())}); they are tried again until it accepts; with onRetriesExhausted: deadLetter or drop they make room when their retries are used up`,
			),
		);
	} else if (input.held.size > 0) {
		const { size } = input.held;
		const [what, them] = size === 1 ? ["message is", "it"] : ["messages are", "them"];
		reasons.push(worthKnowing("held", `${size} ${what} held because the app refused ${them} (${topics(input.held)})`));
	}
	const { deadLetters } = input.refused;
	if (deadLetters?.trouble !== undefined && input.held.size > 0) {
		reasons.push(
			worthKnowing("dead-letter-failed", `the latest dead letter failed: ${deadLetters.trouble}; held and tried again`),
		);
	}
	for (const { packet } of first(input.held.oversized)) {
		reasons.push(
			worthKnowing("oversized", `held, never tried: ${packet.payloadSize} bytes on topic ${quote(packet.topic)}`),
		);
	}
	const oldest = oldestOf(input.running);
	if (oldest !== undefined && now - oldest.at >= SLOW_AFTER_MS) {
		const seconds = Math.round((now - oldest.at) / 1_000);
		reasons.push(
			worthKnowing("slow-handler", `the app has had a message on topic ${quote(oldest.packet.topic)} for ${seconds} s`),
		);
	}
	return reasons;
}

/** What is worth knowing of how the broker is told from an impostor. */
export function trustReasons({ tls }: Pick<Mqtt3Settings, "tls">): HealthReason[] {
	if (!tls?.insecureSkipVerify) return [];
	const message =
		"insecureSkipVerify: any certificate is taken for the broker's; whoever is on the way can read and change everything";
	return [worthKnowing("tls-not-verified", message)];
}

/** Whether a reason is about the way to the broker, not about what becomes of messages. */
export function concernsConnection({ code }: HealthReason): boolean {
	return code.startsWith("not-") || code.startsWith("subscription-") || code === "taken-over";
}

/** Every un-acknowledged delivery gave up its place, or waits behind one that did not and that the app refused. */
function isStuck(unacknowledged: Iterable<Delivery>, isStrict: boolean): boolean {
	let oldest: Delivery | undefined;
	for (const delivery of unacknowledged) {
		if (!isStrict && !delivery.passedOver) return false;
		if (!delivery.accepted && (oldest === undefined || delivery.sequence < oldest.sequence)) oldest = delivery;
	}
	// Passed over without an attempt that failed are those that the app has had for long: together with refused ones they fill the window too.
	return oldest !== undefined && (!isStrict || oldest.attempts > 0 || oldest.stage === "held");
}

function oldestOf(running: Iterable<Delivery>): Delivery | undefined {
	let oldest: Delivery | undefined;
	for (const delivery of running) if (oldest === undefined || delivery.at < oldest.at) oldest = delivery;
	return oldest;
}

function topics(deliveries: Iterable<Delivery>): string {
	const names = new Set<string>();
	for (const { packet } of deliveries) {
		if (names.size === NAMED_AT_MOST) return `topics ${[...names].join(", ")}, …`;
		names.add(quote(packet.topic));
	}
	return `topic${names.size === 1 ? "" : "s"} ${[...names].join(", ")}`;
}

function* first<T>(items: Iterable<T>): Generator<T> {
	let count = 0;
	for (const item of items) {
		if (count++ === NAMED_AT_MOST) return;
		yield item;
	}
}

function blocking(code: string, message: string): HealthReason {
	return { code, message, blocking: true };
}

function worthKnowing(code: string, message: string): HealthReason {
	return { code, message, blocking: false };
}
