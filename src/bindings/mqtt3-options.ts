import { ConfigurationError } from "../errors.js";
import type { BrokerUrl } from "../mqtt/broker-url.js";
import type { TlsSettings } from "../mqtt/connection.js";
import type { QoS, Will } from "../mqtt/packet.js";
import { type Field, optionName } from "./field.js";
import { checkValue } from "./field-value.js";
import { MQTT3_FIELDS } from "./mqtt3-fields.js";
import { settle } from "./mqtt3-settings.js";
import { combinationWarnings } from "./mqtt3-warnings.js";
import { type Problem, Problems } from "./problems.js";

/**
 * What a TypeScript program says about an mqtt3 binding. Only `url`, `topic` and `clientId` are required; the others are
 * the metadata fields of the same name. Times in milliseconds, sizes in bytes.
 */
export interface Mqtt3Options {
	/**
	 * The broker: `tcp://`, `mqtt://`, `ssl://`, `tls://`, `tcps://`, `mqtts://`, `ws://` or `wss://`; may hold user name and password.
	 * Several with commas between are tried in turn.
	 */
	readonly url: string;
	/** The input's topic filter and the output's default topic. */
	readonly topic: string;
	/** The MQTT client identifier, exactly as given; `consumerID` in component metadata. */
	readonly clientId: string;
	/** More topic filters for the input. */
	readonly topics?: readonly string[] | undefined;
	/** Share the messages with all that name the same group: subscribes as `$share/<group>/<filter>`. */
	readonly consumerGroup?: string | undefined;
	/** Unsubscribe when closing, for scaling down for good. Default false. */
	readonly leaveGroupOnStop?: boolean | undefined;
	/** Filters of an earlier configuration to leave; what still comes for them alone is acknowledged undelivered. */
	readonly unsubscribe?: readonly string[] | undefined;
	/** QoS of the subscription and of what is published. Default 1. */
	readonly qos?: QoS | undefined;
	/** Whether the broker keeps what is published as the topic's last message. Default false. */
	readonly retain?: boolean | undefined;
	/** Start each connection with an empty session. Default false. */
	readonly cleanSession?: boolean | undefined;
	/** User name, where it does not stand in `url`. */
	readonly username?: string | undefined;
	/** Password, where it does not stand in `url`. Needs a user name. */
	readonly password?: string | undefined;
	/** Replaces the system's authorities. PEM, base64 of PEM, or `file:PATH`; so are the next two. */
	readonly caCert?: string | undefined;
	/** Together with `clientKey`. */
	readonly clientCert?: string | undefined;
	/** Together with `clientCert`. */
	readonly clientKey?: string | undefined;
	/** Opens an encrypted `clientKey`. */
	readonly clientKeyPassphrase?: string | undefined;
	/** SNI and the name that the broker's certificate must carry. Default: the host in `url`. */
	readonly tlsServerName?: string | undefined;
	/** Protocols to offer in the TLS handshake. */
	readonly alpn?: readonly string[] | undefined;
	/** Accept any certificate of the broker. Default false. */
	readonly insecureSkipVerify?: boolean | undefined;
	/** Whole seconds, 1 s to 65,535 s. Default 30 s. */
	readonly keepAliveMs?: number | undefined;
	/** For DNS, TCP, TLS and CONNACK together. Default 10 s. */
	readonly connectTimeoutMs?: number | undefined;
	/** How long `create` waits for the broker's acknowledgement. Default 10 s. */
	readonly publishTimeoutMs?: number | undefined;
	/** Deliveries at the handler at once. Default 256. */
	readonly maxInFlight?: number | undefined;
	/** The largest payload that is delivered. Default 4 MiB. */
	readonly maxPayloadSize?: number | undefined;
	/** What becomes of a larger one. Default `hold`: it stays with the broker. */
	readonly onOversized?: "hold" | "drop" | undefined;
	/** Bytes of un-acknowledged payloads that may wait in memory. Default 64 MiB. */
	readonly maxBuffered?: number | undefined;
	/** `topic`: one delivery at a time for each topic. Default `none`. */
	readonly ordering?: "none" | "topic" | undefined;
	/** Whether acknowledgements may overtake that of a delivery that failed. Default `arrival`: they may. */
	readonly ackOrder?: "arrival" | "strict" | undefined;
	/** How often a failed delivery is tried again; -1: until it succeeds. Default 0. */
	readonly backOffMaxRetries?: number | undefined;
	/** Whether the time between attempts grows. Default `constant`. */
	readonly backOffPolicy?: "constant" | "exponential" | undefined;
	/** Time between attempts; with `exponential` the first one. Default 5 s. */
	readonly backOffIntervalMs?: number | undefined;
	/** The longest time between attempts. Default 1 minute, or `backOffIntervalMs` where that is longer. */
	readonly backOffMaxIntervalMs?: number | undefined;
	/** What becomes of a delivery whose retries are used up. Default `deadLetter` with `deadLetterTopic`, else `hold`; with `cleanSession` `drop`. */
	readonly onRetriesExhausted?: "hold" | "deadLetter" | "drop" | undefined;
	/** Where dead letters are published, at QoS 1. A topic that the input does not read. */
	readonly deadLetterTopic?: string | undefined;
	/** `json`: a report with the payload in base64. `raw`: the bare payload, below `deadLetterTopic`. Default `json`. */
	readonly deadLetterFormat?: "json" | "raw" | undefined;
	/** Errors after which a delivery is dropped at once, by their `status`: `422`, `5xx`, `INVALID_ARGUMENT`. */
	readonly dropOn?: readonly string[] | undefined;
	/** Errors after which a delivery is dead-lettered at once, by their `status`. */
	readonly deadLetterOn?: readonly string[] | undefined;
	/** How long a handler may take; after that its signal aborts and the attempt counts as failed. Default: as long as it likes. */
	readonly handlerTimeoutMs?: number | undefined;
	/** How often a held delivery is tried again. Default 30 s. */
	readonly holdIntervalMs?: number | undefined;
	/** Where the broker publishes the will, when the connection ends without a goodbye. */
	readonly willTopic?: string | undefined;
	/** Default: empty. */
	readonly willPayload?: string | undefined;
	/** Default 0. */
	readonly willQos?: QoS | undefined;
	/** Default false. */
	readonly willRetain?: boolean | undefined;
	/** The media type of delivered events. Default `application/json`. */
	readonly contentType?: string | undefined;
	/** What is published of a request's JSON data. Default `json`. */
	readonly encoding?: "json" | "utf8" | "base64" | undefined;
	/** Two connections, `<clientId>-consumer` and `<clientId>-producer`. Default false. */
	readonly splitConnections?: boolean | undefined;
	/** Which halves are used. Default both. */
	readonly direction?: readonly ("input" | "output")[] | undefined;
	/** The app's path for the events. Default: the component's name. */
	readonly route?: string | undefined;
}

/** Where and how dead letters are published. */
export interface DeadLetterSettings {
	readonly topic: string;
	readonly format: "json" | "raw";
}

/** Everything that an mqtt3 binding needs to know: defaults filled in, values checked. Times in milliseconds, sizes in bytes. */
export interface Mqtt3Settings {
	/** At least one, tried in turn; each with its user name and password. */
	readonly brokers: readonly BrokerUrl[];
	/** The client identifier; `consumerID` in component metadata. */
	readonly clientId: string;
	/** As given: the output's default topic, the input's first filter. */
	readonly topic: string;
	/** `topic` and `topics` as subscribed to, with `$share/<consumerGroup>/` in front where there is a group; without duplicates. */
	readonly filters: readonly string[];
	/** Filters to leave at each connect. */
	readonly unsubscribe: readonly string[];
	readonly leaveGroupOnStop: boolean;
	readonly qos: QoS;
	readonly retain: boolean;
	readonly cleanSession: boolean;
	/** Present where a broker is reached over `tls` or `wss`; as read at Init. */
	readonly tls?: TlsSettings | undefined;
	/** Reads `tls` anew, for each connection; absent where no file is named. Throws ConfigurationError. */
	readonly readTls?: (() => TlsSettings) | undefined;
	readonly keepAliveMs: number;
	readonly connectTimeoutMs: number;
	readonly publishTimeoutMs: number;
	readonly maxInFlight: number;
	readonly maxPayloadSize: number;
	readonly onOversized: "hold" | "drop";
	readonly maxBuffered: number;
	readonly ordering: "none" | "topic";
	readonly ackOrder: "arrival" | "strict";
	/** -1: without end. */
	readonly backOffMaxRetries: number;
	readonly backOffPolicy: "constant" | "exponential";
	readonly backOffIntervalMs: number;
	readonly backOffMaxIntervalMs: number;
	readonly onRetriesExhausted: "hold" | "deadLetter" | "drop";
	readonly deadLetter?: DeadLetterSettings | undefined;
	readonly dropOn: readonly string[];
	readonly deadLetterOn: readonly string[];
	/** Absent: the app may take as long as it likes. */
	readonly handlerTimeoutMs?: number | undefined;
	readonly holdIntervalMs: number;
	readonly will?: Will | undefined;
	readonly contentType: string;
	readonly encoding: "json" | "utf8" | "base64";
	readonly splitConnections: boolean;
	/** Absent in the metadata: both, and the app is asked whether it wants the input. */
	readonly direction?: readonly ("input" | "output")[] | undefined;
	/** A cleaned path without slashes at its ends; empty for the root. */
	readonly route?: string | undefined;
}

/**
 * Typed options → settings, with the same checks and defaults as component metadata.
 * Throws one ConfigurationError that lists everything that is wrong, one a line, and holds no secret.
 */
export function resolveOptions(options: Mqtt3Options): Mqtt3Settings {
	const problems = new Problems();
	const given: Readonly<Record<string, unknown>> = { ...options };
	const right: Record<string, unknown> = {};
	for (const [name, field] of Object.entries<Field>(MQTT3_FIELDS)) {
		const option = optionName(name, field);
		const value = given[option];
		if (value === undefined || (field.required && value === "")) continue;
		const reason = checkValue(field, value);
		if (reason === undefined) right[option] = value;
		else problems.add(name, reason);
	}
	const settings = settle(right, problems, Date.now());
	if (settings === undefined) throw optionsError(problems);
	return settings;
}

/** Combinations of options that are allowed but lose messages, stop the consumer or give secrets away, in words. */
export function optionWarnings(options: Mqtt3Options, settings: Mqtt3Settings): readonly string[] {
	return combinationWarnings(options, settings, false).map(describe);
}

function optionsError(problems: Problems): ConfigurationError {
	const property = problems.all.length === 1 ? optionOf(problems.all[0]!) : undefined;
	return new ConfigurationError(problems.all.map(describe).join("\n"), { property });
}

function describe(problem: Problem): string {
	const option = optionOf(problem);
	return problem.reason === undefined ? `missing ${option}` : `option "${option}": ${problem.reason}`;
}

function optionOf({ field }: Problem): string {
	const fields: Readonly<Record<string, Field>> = MQTT3_FIELDS;
	return optionName(field, fields[field]!);
}
