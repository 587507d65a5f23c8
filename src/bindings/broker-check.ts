import { randomBytes } from "node:crypto";
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { connect } from "node:tls";
import { MqttConnectionError } from "../errors.js";
import type { BrokerUrl } from "../mqtt/broker-url.js";
import { MqttClient } from "../mqtt/client.js";
import type { TlsSettings } from "../mqtt/connection.js";
import type { Delivery } from "../mqtt/delivery.js";
import { parseSharedFilter } from "../mqtt/topic.js";
import type { Mqtt3Settings } from "./mqtt3-options.js";

/** One step of a check. `untried`: it can't be told, as the broker does not let us. */
export interface CheckStep {
	readonly step: "name" | "TCP" | "TLS" | "CONNACK" | "SUBACK" | "round trip" | "shared group";
	readonly state: "ok" | "failed" | "untried";
	/** What was found; of a failure its likely cause and remedy. Never a secret. */
	readonly text: string;
}

export interface CheckOptions {
	/** Default `<consumerID>-check-<random>`. */
	readonly clientId?: string | undefined;
	/** Default `mqtt3-binding/check/<random>`. */
	readonly probeTopic?: string | undefined;
}

const ANSWER_MS = 5_000;
const POLL_MS = 10;
const DAY_MS = 86_400_000;
/** A certificate that lasts for less is worth a word. */
const FEW_DAYS = 14;

/**
 * Connects to one broker as the component would, with a client identifier, a topic and a group of its own and a clean session, and tells each
 * step as it is done. It ends at the first one that fails. Nothing that runs is touched, and no session is left behind.
 */
export async function* checkBroker(
	settings: Mqtt3Settings,
	broker: BrokerUrl,
	options: CheckOptions = {},
): AsyncGenerator<CheckStep> {
	const random = randomBytes(4).toString("hex");
	const clientId = options.clientId ?? `${settings.clientId}-check-${random}`;
	const topic = options.probeTopic ?? `mqtt3-binding/check/${random}`;
	const received: string[] = [];
	const client = probe(settings, broker, clientId, topic, (payload) => received.push(payload));
	try {
		const failure = await connected(client, settings.connectTimeoutMs);
		yield* connectionSteps(settings, broker, failure, clientId);
		if (failure !== undefined) return;
		if (!(yield* subscribeStep(client, topic))) return;
		yield* roundTrip(client, settings, topic, received);
	} finally {
		await client.close();
	}
	if (!settings.filters.some((filter) => parseSharedFilter(filter) !== undefined)) return;
	yield await sharedGroup(
		settings,
		broker,
		`${clientId}-group`,
		`$share/mqtt3-binding-check-${random}/${topic}`,
		topic,
	);
}

function probe(
	settings: Mqtt3Settings,
	broker: BrokerUrl,
	clientId: string,
	filter: string,
	onPayload: (payload: string) => void,
): MqttClient {
	const nothing = () => {};
	return new MqttClient({
		...settings,
		url: broker,
		tls: settings.readTls ?? settings.tls,
		unsubscribe: [],
		clientId,
		cleanSession: true,
		will: undefined,
		subscriptions: [{ filter, qos: settings.qos }],
		listener: {
			delivered: (delivery: Delivery) => {
				onPayload(Buffer.from(delivery.packet.payload).toString());
				delivery.ack();
			},
			adopted: nothing,
			orphaned: nothing,
			died: nothing,
		},
	});
}

/** Resolves with why the first attempt failed; undefined when it did not. */
async function connected(client: MqttClient, timeoutMs: number): Promise<Error | undefined> {
	return await new Promise((resolve) => {
		const timer = setTimeout(() => resolve(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs + 1_000);
		client.on("state", (state, cause) => {
			if (state !== "online" && cause === undefined) return;
			clearTimeout(timer);
			resolve(state === "online" ? undefined : cause);
		});
		client.connect().catch(() => {});
	});
}

/** How far an attempt came, by why it ended. */
async function* connectionSteps(
	settings: Mqtt3Settings,
	broker: BrokerUrl,
	failure: Error | undefined,
	clientId: string,
): AsyncGenerator<CheckStep> {
	const { host, port, transport } = broker;
	const reason = failure instanceof MqttConnectionError ? failure.reason : undefined;
	const text = failure?.message ?? "";
	if (reason === "dns") return yield { step: "name", state: "failed", text };
	if (isIP(host) === 0) {
		const addresses = await lookup(host, { all: true }).catch(() => []);
		yield { step: "name", state: "ok", text: `${host} is ${addresses.map(({ address }) => address).join(", ")}` };
	}
	// What was refused after TCP stood has other reasons, or says so.
	const isOfTcp = failure !== undefined && (reason === "refused" || reason === "timeout") && !/CONNACK|TLS/i.test(text);
	if (isOfTcp) return yield { step: "TCP", state: "failed", text };
	yield { step: "TCP", state: "ok", text: `port ${port} answers` };
	const isTls = transport === "tls" || transport === "wss";
	if (isTls && (reason === "tls" || reason === "local")) return yield { step: "TLS", state: "failed", text };
	if (isTls) yield await certificateStep(host, port, settings);
	if (failure !== undefined) return yield { step: "CONNACK", state: "failed", text };
	yield { step: "CONNACK", state: "ok", text: `accepted as ${clientId}` };
}

/** Looks at the certificate once more, by itself: the connection has been verified already. */
async function certificateStep(host: string, port: number, { tls, readTls }: Mqtt3Settings): Promise<CheckStep> {
	const settings: TlsSettings | undefined = readTls?.() ?? tls;
	const { ca, cert, key, passphrase, serverName = host, alpn, insecureSkipVerify = false } = settings ?? {};
	return await new Promise((resolve) => {
		const done = (text: string) => resolve({ step: "TLS", state: "ok", text });
		const socket = connect({
			...{ host, port, ca, cert, key, passphrase, rejectUnauthorized: false, timeout: ANSWER_MS },
			...(isIP(serverName) === 0 && { servername: serverName }),
			...(alpn !== undefined && { ALPNProtocols: [...alpn] }),
		});
		socket.once("secureConnect", () => {
			const { valid_to: until, subject } = socket.getPeerCertificate();
			const days = Math.floor((Date.parse(until) - Date.now()) / DAY_MS);
			const name = subject?.CN === undefined ? "its certificate" : `the certificate of ${subject.CN}`;
			const soon = days < FEW_DAYS ? ", which is soon" : "";
			const trust = insecureSkipVerify ? "not verified (insecureSkipVerify)" : "trusted";
			const protocol = socket.getProtocol() ?? "TLS";
			socket.destroy();
			done(`${protocol}; ${name} is ${trust} and lasts ${days} days${soon}`);
		});
		socket.once("timeout", () => socket.destroy());
		socket.once("error", () => done("the handshake succeeded"));
		socket.once("close", () => done("the handshake succeeded"));
	});
}

/** Yields one step; its result is whether the topic is subscribed to. */
async function* subscribeStep(client: MqttClient, topic: string): AsyncGenerator<CheckStep, boolean> {
	client.subscribe();
	const isAnswered = await until(() => client.status().subscribed || client.status().problems.length > 0);
	const [problem] = client.status().problems;
	if (problem?.granted === 0x80) {
		const text = `the broker refuses ${JSON.stringify(topic)} (0x80); its ACL may still allow the component's own topics: --probe-topic names one that may be used`;
		yield { step: "SUBACK", state: "untried", text };
		return false;
	}
	if (!isAnswered) {
		yield { step: "SUBACK", state: "failed", text: `no answer to SUBSCRIBE within ${ANSWER_MS} ms` };
		return false;
	}
	if (problem !== undefined) {
		const text = `QoS ${problem.granted} was granted where ${problem.asked} was asked: deliveries come with less of a guarantee`;
		yield { step: "SUBACK", state: "failed", text };
		return false;
	}
	yield { step: "SUBACK", state: "ok", text: `${JSON.stringify(topic)} granted as asked` };
	return true;
}

async function* roundTrip(
	client: MqttClient,
	{ qos }: Mqtt3Settings,
	topic: string,
	received: readonly string[],
): AsyncGenerator<CheckStep> {
	const startedAt = performance.now();
	try {
		await client.publish({ topic, payload: Buffer.from("check"), qos, retain: false }, { timeoutMs: ANSWER_MS });
	} catch (error) {
		const text = `the publish to ${JSON.stringify(topic)} was not acknowledged (${(error as Error).message}); some brokers close on what their ACL refuses`;
		return yield { step: "round trip", state: "untried", text };
	}
	if (await until(() => received.length > 0)) {
		const ms = (performance.now() - startedAt).toFixed(1);
		return yield { step: "round trip", state: "ok", text: `published, acknowledged and received in ${ms} ms` };
	}
	const text = `acknowledged, and not received within ${ANSWER_MS} ms: an ACL may drop it silently; --probe-topic names a topic that may be used`;
	yield { step: "round trip", state: "untried", text };
}

/** Some brokers grant a shared subscription and never deliver to it. */
async function sharedGroup(
	settings: Mqtt3Settings,
	broker: BrokerUrl,
	clientId: string,
	filter: string,
	topic: string,
): Promise<CheckStep> {
	const received: string[] = [];
	const client = probe(settings, broker, clientId, filter, (payload) => received.push(payload));
	const said = (state: CheckStep["state"], text: string): CheckStep => ({ step: "shared group", state, text });
	try {
		const failure = await connected(client, settings.connectTimeoutMs);
		if (failure !== undefined) return said("failed", failure.message);
		client.subscribe();
		await until(() => client.status().subscribed || client.status().problems.length > 0);
		if (!client.status().subscribed || client.status().problems.length > 0) {
			return said(
				"untried",
				`the broker does not grant ${JSON.stringify(filter)}: it has no shared subscriptions, or its ACL refuses this one`,
			);
		}
		await client.publish(
			{ topic, payload: Buffer.from("check"), qos: settings.qos, retain: false },
			{ timeoutMs: ANSWER_MS },
		);
		if (await until(() => received.length > 0)) return said("ok", "granted, and a message came");
		return said(
			"failed",
			"granted, and nothing comes: this broker takes $share for an ordinary topic; leave consumerGroup out, or use a broker that has shared subscriptions",
		);
	} catch (error) {
		return said("untried", (error as Error).message);
	} finally {
		await client.close();
	}
}

/** Resolves with true as soon as `condition` holds, with false after a while. */
async function until(condition: () => boolean): Promise<boolean> {
	for (const end = performance.now() + ANSWER_MS; performance.now() < end; ) {
		if (condition()) return true;
		await new Promise((resolve) => setTimeout(resolve, POLL_MS));
	}
	return condition();
}
