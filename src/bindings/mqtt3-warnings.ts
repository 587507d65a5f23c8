import type { Mqtt3Settings } from "./mqtt3-options.js";
import type { Draft } from "./mqtt3-settings.js";
import type { Problem } from "./problems.js";
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
		...(settings.tls ? tlsWarnings(draft, settings) : plainWarnings(draft, settings)),
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

function deliveryWarnings(settings: Mqtt3Settings): readonly Problem[] {
	const isOutputOnly = settings.direction?.includes("input") === false;
	if (isOutputOnly) {
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

function plainWarnings(draft: Draft, settings: Mqtt3Settings): readonly Problem[] {
	const warnings: Problem[] = [];
	const { href, host } = settings.broker;
	const unused = TLS_FIELDS.filter((name) => draft[name] !== undefined && draft[name] !== false);
	for (const field of unused) {
		warnings.push({ field, reason: `is not used: ${href} is without TLS, ssl:// and wss:// are with it` });
	}
	if ((settings.username !== undefined || settings.password !== undefined) && !isLoopback(host)) {
		warnings.push({ field: "url", reason: `user name and password go to ${href} unencrypted: use ssl:// or wss://` });
	}
	return warnings;
}

function isLoopback(host: string): boolean {
	const name = host.toLowerCase().replace(/\.$/, "");
	if (name === "localhost" || name.endsWith(".localhost") || name === "::1") return true;
	return /^(?:::ffff:)?127(?:\.\d{1,3}){3}$/.test(name);
}
