import { posix } from "node:path";
import { ConfigurationError } from "../errors.js";
import { type BrokerUrl, parseBrokerUrl, splitBrokerUrls } from "../mqtt/broker-url.js";
import type { TlsSettings } from "../mqtt/connection.js";
import type { Will } from "../mqtt/packet.js";
import { checkTopicFilter, checkTopicName } from "../mqtt/topic.js";
import { MQTT3_FIELDS } from "./mqtt3-fields.js";
import type { Mqtt3Options, Mqtt3Settings } from "./mqtt3-options.js";
import { concealSettings } from "./mqtt3-redaction.js";
import type { Problems } from "./problems.js";
import { loadTlsMaterial } from "./tls-material.js";

/** Options of which each is right by itself; required ones may be missing. */
export type Draft = { readonly [Name in keyof Mqtt3Options]?: Mqtt3Options[Name] | undefined };

/**
 * Fills in the defaults and checks what concerns more than a value's form: address, topics, TLS material, fields that
 * need each other. Returns undefined when `problems` holds anything in the end. `now` is what certificates are checked against.
 */
export function settle(draft: Draft, problems: Problems, now: number): Mqtt3Settings | undefined {
	const broker = settleBroker(draft.url, problems);
	const topic = required("topic", draft.topic, problems);
	const clientId = required("consumerID", draft.clientId, problems);
	checkPlaceholders(draft.clientId, problems);
	checkFilters(draft, problems);
	const credentials = settleCredentials(draft, broker, problems);
	const tls = settleTls(draft, broker, problems, now);
	const will = settleWill(draft, problems);
	const route = settleRoute(draft.route, problems);
	checkContentType(draft.contentType, problems);
	if (broker === undefined || topic === undefined || clientId === undefined || problems.all.length > 0)
		return undefined;

	const cleanSession = draft.cleanSession ?? MQTT3_FIELDS.cleanSession.default;
	const { username: _user, password: _password, ...address } = broker;
	return concealSettings({
		broker: address,
		clientId,
		topic,
		filters: [...new Set([topic, ...(draft.topics ?? [])])],
		qos: draft.qos ?? MQTT3_FIELDS.qos.default,
		retain: draft.retain ?? MQTT3_FIELDS.retain.default,
		cleanSession,
		...credentials,
		...(tls && { tls }),
		keepAliveMs: draft.keepAliveMs ?? MQTT3_FIELDS.keepAlive.default,
		connectTimeoutMs: draft.connectTimeoutMs ?? MQTT3_FIELDS.connectTimeout.default,
		publishTimeoutMs: draft.publishTimeoutMs ?? MQTT3_FIELDS.publishTimeout.default,
		maxInFlight: draft.maxInFlight ?? MQTT3_FIELDS.maxInFlight.default,
		maxPayloadSize: draft.maxPayloadSize ?? MQTT3_FIELDS.maxPayloadSize.default,
		onOversized: draft.onOversized ?? MQTT3_FIELDS.onOversized.default,
		maxBuffered: draft.maxBuffered ?? MQTT3_FIELDS.maxBuffered.default,
		ackOrder: draft.ackOrder ?? MQTT3_FIELDS.ackOrder.default,
		backOffMaxRetries: draft.backOffMaxRetries ?? MQTT3_FIELDS.backOffMaxRetries.default,
		backOffIntervalMs: draft.backOffIntervalMs ?? MQTT3_FIELDS.backOffInterval.default,
		onRetriesExhausted: draft.onRetriesExhausted ?? (cleanSession ? "drop" : "hold"),
		holdIntervalMs: draft.holdIntervalMs ?? MQTT3_FIELDS.holdInterval.default,
		...(will && { will }),
		contentType: draft.contentType ?? MQTT3_FIELDS.contentType.default,
		encoding: draft.encoding ?? MQTT3_FIELDS.encoding.default,
		splitConnections: draft.splitConnections ?? MQTT3_FIELDS.splitConnections.default,
		...(draft.direction && { direction: draft.direction }),
		...(route !== undefined && { route }),
	});
}

function required(field: string, value: string | undefined, problems: Problems): string | undefined {
	if (value === undefined) problems.addMissing(field);
	return value;
}

function settleBroker(url: string | undefined, problems: Problems): BrokerUrl | undefined {
	if (url === undefined) {
		problems.addMissing("url");
		return undefined;
	}
	try {
		const brokers = splitBrokerUrls(url).map(parseBrokerUrl);
		if (brokers.length === 1) return brokers[0];
		problems.add("url", `names ${brokers.length} brokers, and this version does not support more than one yet`);
	} catch (error) {
		if (!(error instanceof ConfigurationError)) throw error;
		problems.add("url", error.message.replace(/^url /, ""));
	}
	return undefined;
}

// `{uuid}` and its like are resolved before Init; one that is left would be the same identifier for every replica.
function checkPlaceholders(clientId: string | undefined, problems: Problems): void {
	const left = clientId?.match(/\{(?:uuid|podName|appID|namespace)\}/i);
	if (left) problems.add("consumerID", `holds the placeholder ${left[0]}, which was not resolved`);
}

function checkFilters(draft: Draft, problems: Problems): void {
	const topic = draft.topic === undefined ? undefined : checkTopicFilter(draft.topic);
	if (topic !== undefined) problems.add("topic", `${quote(draft.topic!)} ${topic}`);
	for (const filter of draft.topics ?? []) {
		const reason = checkTopicFilter(filter);
		if (reason !== undefined) problems.add("topics", `${quote(filter)} ${reason}`);
	}
}

function settleCredentials(
	draft: Draft,
	broker: BrokerUrl | undefined,
	problems: Problems,
): Pick<Mqtt3Settings, "username" | "password"> {
	for (const name of ["username", "password"] as const) {
		if (draft[name] !== undefined && broker?.[name] !== undefined && draft[name] !== broker[name]) {
			problems.add(name, "differs from the one in url: give it once");
		}
	}
	const username = draft.username ?? broker?.username;
	const password = draft.password ?? broker?.password;
	const knowsUser = broker !== undefined && !problems.concerns("username");
	if (password !== undefined && !username && knowsUser) {
		problems.add(draft.password === undefined ? "url" : "password", "a password needs a user name [MQTT-3.1.2-22]");
	}
	return { ...(username !== undefined && { username }), ...(password !== undefined && { password }) };
}

function settleTls(
	draft: Draft,
	broker: BrokerUrl | undefined,
	problems: Problems,
	now: number,
): TlsSettings | undefined {
	// Where the address is wrong, TLS may have been meant: say what is wrong with that too.
	if (broker?.transport === "tcp" || broker?.transport === "ws") return undefined;
	for (const protocol of draft.alpn ?? []) {
		const bytes = Buffer.byteLength(protocol);
		if (bytes < 1 || bytes > 255) problems.add("alpn", `${quote(protocol)} is not a protocol: expected 1 to 255 bytes`);
	}
	return {
		...loadTlsMaterial(draft, problems, now),
		...(draft.tlsServerName !== undefined && { serverName: draft.tlsServerName }),
		...(draft.alpn?.length && { alpn: draft.alpn }),
		insecureSkipVerify: draft.insecureSkipVerify ?? MQTT3_FIELDS.insecureSkipVerify.default,
	};
}

function settleWill(draft: Draft, problems: Problems): Will | undefined {
	if (draft.willTopic === undefined) {
		if (problems.concerns("willTopic")) return undefined;
		for (const name of ["willPayload", "willQos", "willRetain"] as const) {
			if (draft[name] !== undefined) problems.add(name, "needs willTopic, which is missing");
		}
		return undefined;
	}
	const reason = checkTopicName(draft.willTopic);
	if (reason !== undefined) problems.add("willTopic", `${quote(draft.willTopic)} ${reason}`);
	return {
		topic: draft.willTopic,
		payload: Buffer.from(draft.willPayload ?? MQTT3_FIELDS.willPayload.default),
		qos: draft.willQos ?? MQTT3_FIELDS.willQos.default,
		retain: draft.willRetain ?? MQTT3_FIELDS.willRetain.default,
	};
}

/** One path without slashes at its ends. Empty text counts as absent. */
function settleRoute(route: string | undefined, problems: Problems): string | undefined {
	if (!route) return undefined;
	if (!/^[\x21-\x7e]+$/.test(route)) {
		problems.add("route", `${quote(route)} is not a path: expected visible ASCII, the rest percent-encoded`);
		return undefined;
	}
	return posix.normalize(`/${route}`).replaceAll(/^\/|\/$/g, "");
}

// It becomes an HTTP header.
function checkContentType(contentType: string | undefined, problems: Problems): void {
	if (contentType !== undefined && !/^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(?:\s*;[\x20-\x7e]*)?$/.test(contentType)) {
		problems.add("contentType", `${quote(contentType)} is not a media type: expected type/subtype`);
	}
}

function quote(text: string): string {
	return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
