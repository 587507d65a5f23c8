import type { MqttClient } from "../mqtt/client.js";
import { subscriptionText } from "../mqtt/client.js";
import type { Delivery } from "../mqtt/delivery.js";
import type { HealthReason } from "./binding.js";
import type { Mqtt3Input } from "./mqtt3-input.js";

/** Nothing new for so long, and nothing that could make room: the input is stalled. */
const STALLED_AFTER_MS = 5_000;
/** Brokers' windows are hardly ever smaller; fewer un-acknowledged messages stop nothing. */
const STALLED_FROM = 10;
/** A handler that has had a message for longer is worth a word. */
const SLOW_AFTER_MS = 60_000;
const NAMED_AT_MOST = 3;

/** Why a connection is not in order, in words. */
export function connectionReasons(client: MqttClient, reads: boolean): HealthReason[] {
	const { state, cause, url, subscribed, subscribing, problems } = client.status();
	const reasons: HealthReason[] = [];
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
	return reasons;
}

/** What stands in the way between broker and app, in words. */
export function deliveryReasons(client: MqttClient, input: Mqtt3Input, isStrict: boolean): HealthReason[] {
	const now = performance.now();
	const reasons: HealthReason[] = [];
	const { outstanding, lastArrival } = client.status();
	if (!input.isReading) {
		if (input.waiting > 0) {
			reasons.push(blocking("unread", `the session holds messages and nobody reads: ${input.waiting} wait here`));
		}
		return reasons;
	}
	if (
		isStalled(client.unacknowledged(), isStrict) &&
		outstanding >= STALLED_FROM &&
		now - lastArrival >= STALLED_AFTER_MS
	) {
		const seconds = Math.round((now - lastArrival) / 1_000);
		reasons.push(
			blocking(
				"stalled",
				`stalled: nothing new for ${seconds} s, and the app has refused every one of the ${outstanding} messages that the broker waits for (${topics(input)}); they are tried again until it accepts`,
			),
		);
	} else if (input.held.size > 0) {
		reasons.push(
			worthKnowing("held", `${input.held.size} messages are held because the app refused them (${topics(input)})`),
		);
	}
	for (const { packet } of first(input.held.oversized)) {
		reasons.push(
			worthKnowing(
				"oversized",
				`held, never tried: ${packet.payloadSize} bytes on topic ${JSON.stringify(packet.topic)}`,
			),
		);
	}
	const oldest = oldestOf(input.running);
	if (oldest !== undefined && now - oldest.at >= SLOW_AFTER_MS) {
		const seconds = Math.round((now - oldest.at) / 1_000);
		reasons.push(
			worthKnowing(
				"slow-handler",
				`the app has had a message on topic ${JSON.stringify(oldest.packet.topic)} for ${seconds} s`,
			),
		);
	}
	return reasons;
}

/** Every un-acknowledged delivery was refused or waits behind one that was. */
function isStalled(unacknowledged: Iterable<Delivery>, isStrict: boolean): boolean {
	let oldestFailed = false;
	let oldest: Delivery | undefined;
	for (const delivery of unacknowledged) {
		if (!isStrict && !delivery.passedOver) return false;
		if (!delivery.accepted && (oldest === undefined || delivery.sequence < oldest.sequence)) {
			oldest = delivery;
			oldestFailed = delivery.attempts > 0 || delivery.stage === "held";
		}
	}
	return oldestFailed;
}

function oldestOf(running: Iterable<Delivery>): Delivery | undefined {
	let oldest: Delivery | undefined;
	for (const delivery of running) if (oldest === undefined || delivery.at < oldest.at) oldest = delivery;
	return oldest;
}

function topics(input: Mqtt3Input): string {
	const names = new Set<string>();
	for (const { packet } of input.held) {
		if (names.size === NAMED_AT_MOST) return `topics ${[...names].join(", ")}, …`;
		names.add(JSON.stringify(packet.topic));
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
