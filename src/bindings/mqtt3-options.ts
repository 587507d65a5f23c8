import type { BrokerUrl } from "../mqtt/broker-url.js";
import type { TlsSettings } from "../mqtt/connection.js";
import type { QoS, Will } from "../mqtt/packet.js";

/** Everything that an mqtt3 binding needs to know: defaults filled in, values checked. Times in milliseconds, sizes in bytes. */
export interface Mqtt3Settings {
	readonly broker: BrokerUrl;
	/** The client identifier; `consumerID` in component metadata. */
	readonly clientId: string;
	/** As given: the output's default topic, the input's first filter. */
	readonly topic: string;
	/** `topic` and `topics`: the input's filters, without duplicates. */
	readonly filters: readonly string[];
	readonly qos: QoS;
	readonly retain: boolean;
	readonly cleanSession: boolean;
	readonly username?: string | undefined;
	readonly password?: string | undefined;
	/** Present exactly for `tls` and `wss`. */
	readonly tls?: TlsSettings | undefined;
	readonly keepAliveMs: number;
	readonly connectTimeoutMs: number;
	readonly publishTimeoutMs: number;
	readonly maxInFlight: number;
	readonly maxPayloadSize: number;
	readonly onOversized: "hold" | "drop";
	readonly maxBuffered: number;
	readonly ackOrder: "arrival" | "strict";
	/** -1: without end. */
	readonly backOffMaxRetries: number;
	readonly backOffIntervalMs: number;
	readonly onRetriesExhausted: "hold" | "drop";
	readonly holdIntervalMs: number;
	readonly will?: Will | undefined;
	readonly contentType: string;
	readonly encoding: "json" | "utf8" | "base64";
	readonly splitConnections: boolean;
	/** Absent in the metadata: both, and the app is asked whether it wants the input. */
	readonly direction?: readonly ("input" | "output")[] | undefined;
	readonly route?: string | undefined;
}
