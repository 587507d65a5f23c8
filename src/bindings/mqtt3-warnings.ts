import { parseSharedFilter } from "../mqtt/topic.js";
import type { Mqtt3Settings } from "./mqtt3-options.js";
import type { Draft } from "./mqtt3-settings.js";
import type { Problem } from "./problems.js";
import { usesTls } from "./settle-tls.js";
import { isReadableByAll } from "./tls-material.js";

const TLS_FIELDS = [
	"caCert",
	"clientCert",
	"clientKey",
	"clientKeyPassphrase",
	"tlsServerName",
	"alpn",
	"insecureSkipVerify",
] as const;

/**
 * Combinations that are allowed but lose messages, leak sessions, stop the consumer or give secrets away, each under the
 * field that would have to change. `isRandomClientId`: the client identifier is another one at each start.
 */
export function combinationWarnings(
	draft: Draft,
	settings: Mqtt3Settings,
	isRandomClientId: boolean,
): readonly Problem[] {
	return [
		...(isRandomClientId ? sessionWarnings(settings) : []),
		...deliveryWarnings(settings),
		...(isOutputOnly(settings)
			? []
			: [...groupWarnings(settings, isRandomClientId), ...deadLetterWarnings(draft, settings)]),
		...(settings.tls ? tlsWarnings(draft, settings) : unusedTlsWarnings(draft, settings)),
		...plainWarnings(settings),
	];
}

function sessionWarnings(settings: Mqtt3Settings): readonly Problem[] {
	if (settings.cleanSession) return [];
	return [
		{
			field: "consumerID",
			reason:
				"is random ({uuid}) with cleanSession: false: each start leaves a session behind at the broker, and what is queued in it: set cleanSession: true or a consumerID that stays",
		},
	];
}

function isOutputOnly({ direction }: Mqtt3Settings): boolean {
	return direction?.includes("input") === false;
}

/** What brokers do with the messages of a member that dies or stops, by the kind of its session. */
function groupWarnings(settings: Mqtt3Settings, isRandomClientId: boolean): readonly Problem[] {
	const shared = settings.filters.find((filter) => parseSharedFilter(filter) !== undefined);
	if (shared === undefined) return [];
	if (settings.cleanSession) {
		const reason =
			"true in a shared group: what a member holds un-acknowledged when it dies or its connection is lost is lost with its session on most brokers: set cleanSession: false and a consumerID that each member keeps over restarts";
		return [{ field: "cleanSession", reason }];
	}
	if (!isRandomClientId) return [];
	const reason =
		"is random ({uuid}) in a shared group: each start leaves a member behind whose share of the messages waits for a return that never comes: set a consumerID that each member keeps over restarts, as {podName} of a StatefulSet";
	return [{ field: "consumerID", reason }];
}

function deadLetterWarnings(draft: Draft, settings: Mqtt3Settings): readonly Problem[] {
	const { deadLetter, onRetriesExhausted, deadLetterOn } = settings;
	if (deadLetter === undefined || onRetriesExhausted === "deadLetter" || deadLetterOn.length > 0) return [];
	const reason = `is never used: onRetriesExhausted is ${draft.onRetriesExhausted} and deadLetterOn names nothing`;
	return [{ field: "deadLetterTopic", reason }];
}

function deliveryWarnings(settings: Mqtt3Settings): readonly Problem[] {
	if (isOutputOnly(settings)) {
		if (!settings.topic.startsWith("$share/")) return [];
		return [
			{
				field: "topic",
				reason: `${JSON.stringify(settings.topic)} with direction: output is a filter that nobody subscribes to: each create must name a topic of its own`,
			},
		];
	}
	if (settings.onRetriesExhausted !== "hold") return [];
	return [
		...(settings.cleanSession
			? [
					{
						field: "onRetriesExhausted",
						reason:
							"hold with cleanSession: true loses what is held when the connection is lost: set cleanSession: false or onRetriesExhausted: drop",
					},
				]
			: []),
		...(settings.ackOrder === "strict"
			? [
					{
						field: "ackOrder",
						reason:
							"strict with onRetriesExhausted: hold: one message that the app refuses stops all acknowledgements and soon the consumer: set ackOrder: arrival or onRetriesExhausted: drop",
					},
				]
			: []),
	];
}

function tlsWarnings(draft: Draft, settings: Mqtt3Settings): readonly Problem[] {
	const warnings: Problem[] = [];
	if (settings.tls?.insecureSkipVerify) {
		warnings.push({
			field: "insecureSkipVerify",
			reason:
				"true: any certificate of the broker is accepted, so whoever is on the way can read and change everything",
		});
	}
	if (draft.clientKey !== undefined && isReadableByAll(draft.clientKey)) {
		warnings.push({ field: "clientKey", reason: "its file can be read by every user of this machine" });
	}
	return warnings;
}

function unusedTlsWarnings(draft: Draft, { brokers }: Mqtt3Settings): readonly Problem[] {
	const unused = TLS_FIELDS.filter((name) => draft[name] !== undefined && draft[name] !== false);
	const reason = `is not used: ${brokers.map(({ href }) => href).join(", ")} is without TLS, ssl:// and wss:// are with it`;
	return unused.map((field) => ({ field, reason }));
}

function plainWarnings({ brokers }: Mqtt3Settings): readonly Problem[] {
	return brokers
		.filter((broker) => !usesTls(broker) && !isLoopback(broker.host))
		.filter(({ username, password }) => username !== undefined || password !== undefined)
		.map(({ href }) => ({
			field: "url",
			reason: `user name and password go to ${href} unencrypted: use ssl:// or wss://`,
		}));
}

function isLoopback(host: string): boolean {
	const name = host.toLowerCase().replace(/\.$/, "");
	if (name === "localhost" || name.endsWith(".localhost") || name === "::1") return true;
	return /^(?:::ffff:)?127(?:\.\d{1,3}){3}$/.test(name);
}
