import { X509Certificate } from "node:crypto";
import type { MqttClient } from "../mqtt/client.js";
import type { ClientStatus } from "../mqtt/client-status.js";
import type { TlsSettings } from "../mqtt/connection.js";
import type { BindingStatistics, ConnectionStatistics, InputStatistics } from "./binding.js";
import type { Mqtt3Input } from "./mqtt3-input.js";

const DAY_MS = 86_400_000;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** The figures of one client. */
export function connectionStatistics(role: ConnectionStatistics["role"], status: ClientStatus): ConnectionStatistics {
	const { state, takenOver, subscribing, subscribed, problems, connects, losses, sessionsLost, pending } = status;
	return {
		role,
		isOnline: state === "online",
		isTakenOver: takenOver,
		isSubscribed: !subscribing || (subscribed && problems.length === 0),
		connects,
		losses,
		sessionsLost,
		publishesPending: pending,
		lateAnswers: status.lateAnswers,
		unexpectedAnswers: status.unexpectedAnswers,
	};
}

/** What became of the messages that a client received, and where they are now. */
export function inputStatistics(
	client: Pick<MqttClient, "status" | "counters" | "unacknowledged">,
	input: Mqtt3Input,
): InputStatistics {
	const { outstanding, buffered, orphans, strict } = client.status();
	const { qos0Dropped, lostDropped, stale, skipped, copies, adopted } = client.counters;
	let waitingBytes = 0;
	let oldest = Number.POSITIVE_INFINITY;
	for (const { stage, cost, arrivedAt } of client.unacknowledged()) {
		if (stage === "waiting") waitingBytes += cost;
		// Answers to copies were never delivered, and have no time.
		if (arrivedAt > 0) oldest = Math.min(oldest, arrivedAt);
	}
	return {
		inFlight: input.running.size,
		waiting: input.waiting,
		waitingBytes,
		unacknowledged: outstanding,
		unacknowledgedBytes: buffered,
		oldestUnacknowledgedMs: Math.max(0, performance.now() - oldest),
		held: input.held.size,
		heldOversized: input.held.oversized.size,
		orphans,
		isPaused: input.pausedFor !== undefined,
		isStrict: strict,
		dropped: {
			"retries-exhausted": input.refused.dropped.retriesExhausted,
			"drop-on": input.refused.dropped.dropOn,
			oversized: input.refused.dropped.oversized,
			unsubscribed: input.refused.dropped.unsubscribed,
			qos0: qos0Dropped,
			"lost-session": lostDropped,
		},
		deadLettered: input.refused.deadLettered,
		deadLettersFailed: input.refused.deadLettersFailed,
		staleAcknowledgements: stale,
		skipped,
		copies,
		adopted,
		strays: input.strays,
	};
}

/** How many days the certificate of each kind that expires first is still valid. */
export function certificateDays(tls: TlsSettings | undefined, now: number): BindingStatistics["certificateDays"] {
	const client = daysLeft(tls?.cert, now);
	const ca = daysLeft(tls?.ca, now);
	return { ...(client !== undefined && { client }), ...(ca !== undefined && { ca }) };
}

function daysLeft(pem: string | undefined, now: number): number | undefined {
	const ends = (pem?.match(CERTIFICATE) ?? []).map((block) => Date.parse(new X509Certificate(block).validTo));
	return ends.length === 0 ? undefined : (Math.min(...ends) - now) / DAY_MS;
}
