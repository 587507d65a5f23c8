import type { BrokerUrl } from "./broker-url.js";
import type { Cancellation } from "./cancellation.js";
import type { Dial, TlsSettings } from "./connection.js";
import type { DeliveryListener } from "./inbound.js";
import type { Subscription, Will } from "./packet.js";
import type { Report } from "./report.js";

/** What an MqttClient is made of. */
export interface MqttClientOptions {
	/** The broker, or several that are tried in turn. User name and password in it are those of its CONNECT. */
	readonly url: BrokerUrl | readonly BrokerUrl[];
	/** A function is called for each attempt; what it throws makes the attempt fail. */
	readonly tls?: TlsSettings | (() => TlsSettings) | undefined;
	readonly clientId: string;
	readonly cleanSession: boolean;
	/** Where `url` holds none. */
	readonly username?: string | undefined;
	readonly password?: string | undefined;
	readonly will?: Will | undefined;
	/** Milliseconds, whole seconds from 1 to 65,535 of them. */
	readonly keepAliveMs: number;
	readonly connectTimeoutMs: number;
	/** The deadline of a publish that names none. */
	readonly publishTimeoutMs: number;
	/** What subscribe() subscribes to. */
	readonly subscriptions: readonly Subscription[];
	/** Filters that the session may have from earlier, to UNSUBSCRIBE from on each connection once somebody reads. */
	readonly unsubscribe?: readonly string[] | undefined;
	/** close() UNSUBSCRIBEs from everything first. Default false. */
	readonly unsubscribeOnClose?: boolean | undefined;
	readonly ackOrder: "arrival" | "strict";
	readonly maxBuffered: number;
	readonly maxPayloadSize: number;
	/** Gets every message; in place before CONNECT. Absent: messages are not read at all. */
	readonly listener?: DeliveryListener | undefined;
	readonly onReport?: ((report: Report) => void) | undefined;
	/** How connections are made; tests pass their own. */
	readonly dial?: Dial | undefined;
}

/** One publish; QoS and RETAIN as in the message. */
export interface PublishOptions {
	readonly signal?: Cancellation | undefined;
	/** Milliseconds from now; default the client's `publishTimeoutMs`. */
	readonly timeoutMs?: number | undefined;
}
