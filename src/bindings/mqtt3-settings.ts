import { posix } from "node:path";
import type { Will } from "../mqtt/packet.js";
import { checkTopicName } from "../mqtt/topic.js";
import { MQTT3_FIELDS } from "./mqtt3-fields.js";
import type { Mqtt3Options, Mqtt3Settings } from "./mqtt3-options.js";
import { concealSettings } from "./mqtt3-redaction.js";
import type { Problems } from "./problems.js";
import { quote } from "./quote.js";
import { settleBrokers } from "./settle-brokers.js";
import { settleDispositions } from "./settle-dispositions.js";
import { settleFilters } from "./settle-filters.js";
import { settleTls } from "./settle-tls.js";

/** Options of which each is right by itself; required ones may be missing. */
export type Draft = { readonly [Name in keyof Mqtt3Options]?: Mqtt3Options[Name] | undefined };

/**
 * Fills in the defaults and checks what concerns more than a value's form: address, topics, TLS material, fields that
 * need each other. Returns undefined when `problems` holds anything in the end. `now` is what certificates are checked against.
 */
export function settle(draft: Draft, problems: Problems, now: number): Mqtt3Settings | undefined {
	const brokers = settleBrokers(draft, problems);
	const topic = required("topic", draft.topic, problems);
	const clientId = required("consumerID", draft.clientId, problems);
	checkPlaceholders(draft.clientId, problems);
	const filters = settleFilters(draft, problems);
	const dispositions = settleDispositions(draft, filters.filters, problems);
	const tls = settleTls(draft, brokers, problems, now);
	const will = settleWill(draft, problems);
	const route = settleRoute(draft.route, problems);
	checkContentType(draft.contentType, problems);
	if (brokers === undefined || topic === undefined || clientId === undefined || problems.all.length > 0)
		return undefined;

	return concealSettings({
		brokers,
		clientId,
		topic,
		...filters,
		qos: draft.qos ?? MQTT3_FIELDS.qos.default,
		retain: draft.retain ?? MQTT3_FIELDS.retain.default,
		cleanSession: draft.cleanSession ?? MQTT3_FIELDS.cleanSession.default,
		...tls,
		keepAliveMs: draft.keepAliveMs ?? MQTT3_FIELDS.keepAlive.default,
		connectTimeoutMs: draft.connectTimeoutMs ?? MQTT3_FIELDS.connectTimeout.default,
		publishTimeoutMs: draft.publishTimeoutMs ?? MQTT3_FIELDS.publishTimeout.default,
		maxInFlight: draft.maxInFlight ?? MQTT3_FIELDS.maxInFlight.default,
		maxPayloadSize: draft.maxPayloadSize ?? MQTT3_FIELDS.maxPayloadSize.default,
		onOversized: draft.onOversized ?? MQTT3_FIELDS.onOversized.default,
		maxBuffered: draft.maxBuffered ?? MQTT3_FIELDS.maxBuffered.default,
		ordering: draft.ordering ?? MQTT3_FIELDS.ordering.default,
		ackOrder: draft.ackOrder ?? MQTT3_FIELDS.ackOrder.default,
		...dispositions,
		holdIntervalMs: draft.holdIntervalMs ?? MQTT3_FIELDS.holdInterval.default,
		...(draft.handlerTimeoutMs !== undefined && { handlerTimeoutMs: draft.handlerTimeoutMs }),
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

// `{uuid}` and its like are resolved before Init; one that is left would be the same identifier for every replica.
function checkPlaceholders(clientId: string | undefined, problems: Problems): void {
	const left = clientId?.match(/\{(?:uuid|podName|appID|namespace)\}/i);
	if (left) problems.add("consumerID", `holds the placeholder ${left[0]}, which was not resolved`);
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
