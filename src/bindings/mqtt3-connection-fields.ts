import type { Fields } from "./field.js";

/** The longest string, and the longest binary data, that MQTT can carry [MQTT-1.5.3]. */
const MQTT_STRING_BYTES = 65_535;
const DAY_MS = 24 * 60 * 60 * 1_000;

/** Our own fields that say how to reach the broker, as whom, and what it does when we vanish. */
export const CONNECTION_FIELDS = {
	username: {
		kind: "text",
		origin: "ours",
		secret: true,
		maxBytes: MQTT_STRING_BYTES,
		withoutNul: true,
		meaning: "User name, where it does not stand in `url`.",
		example: "alice",
	},
	password: {
		kind: "text",
		origin: "ours",
		secret: true,
		maxBytes: MQTT_STRING_BYTES,
		meaning: "Password, where it does not stand in `url`. Needs a user name.",
		example: "correct horse",
	},
	clientKeyPassphrase: {
		kind: "text",
		origin: "ours",
		secret: true,
		meaning: "Opens an encrypted `clientKey`.",
		example: "battery staple",
	},
	tlsServerName: {
		kind: "text",
		origin: "ours",
		withoutNul: true,
		defaultText: "the host in `url`",
		meaning: "The name that is asked for (SNI) and that the broker's certificate must carry.",
		example: "mqtt.example.com",
	},
	alpn: {
		kind: "list",
		origin: "ours",
		meaning: "Protocols to offer in the TLS handshake (ALPN).",
		example: '["mqtt"]',
	},
	insecureSkipVerify: {
		kind: "boolean",
		origin: "ours",
		default: false,
		meaning: "Accept any certificate of the broker. For trials only.",
		example: "false",
	},
	keepAlive: {
		kind: "duration",
		origin: "ours",
		option: "keepAliveMs",
		default: 30_000,
		minimum: 1_000,
		maximum: 65_535_000,
		step: 1_000,
		meaning: "A connection on which nothing was heard for this long is asked for a sign of life.",
		example: "30s",
	},
	connectTimeout: {
		kind: "duration",
		origin: "ours",
		option: "connectTimeoutMs",
		default: 10_000,
		minimum: 1,
		maximum: DAY_MS,
		meaning: "How long one attempt to connect may take: DNS, TCP, TLS and CONNACK together.",
		example: "10s",
	},
	splitConnections: {
		kind: "boolean",
		origin: "ours",
		default: false,
		meaning:
			"Two connections, `<consumerID>-consumer` and `<consumerID>-producer`, as daprd's own component makes them, instead of one for both directions.",
		example: "false",
	},
	willTopic: {
		kind: "text",
		origin: "ours",
		meaning: "Where the broker publishes the will, when the connection ends without a goodbye.",
		example: "devices/gateway/status",
	},
	willPayload: {
		kind: "text",
		origin: "ours",
		default: "",
		mayBeEmpty: true,
		maxBytes: MQTT_STRING_BYTES,
		meaning: "The will's payload.",
		example: "offline",
	},
	willQos: { kind: "qos", origin: "ours", default: 0, meaning: "The will's QoS.", example: "1" },
	willRetain: {
		kind: "boolean",
		origin: "ours",
		default: false,
		meaning: "Whether the broker keeps the will as the topic's last message.",
		example: "true",
	},
} as const satisfies Fields;
