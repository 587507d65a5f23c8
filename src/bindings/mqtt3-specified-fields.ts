import type { Fields } from "./field.js";

/** The fields of Dapr's page for the component, in its order. */
export const SPECIFIED_FIELDS = {
	url: {
		kind: "url",
		origin: "specification",
		required: true,
		meaning:
			"The broker. `tcp://` or `mqtt://` (port 1883), `ssl://`, `tls://`, `tcps://` or `mqtts://` (8883), `ws://` (80), `wss://` (443; path and query kept). User name and password may stand in it, percent-encoded; the last `@` ends them. Several brokers with commas between are tried in turn: the promises span them only if they share sessions.",
		example: "tcp://localhost:1883",
	},
	topic: {
		kind: "text",
		origin: "specification",
		required: true,
		meaning:
			"Input: the topic filter, `+`, `#` and `$share/group/filter` allowed. Output: where `create` publishes when the request names no topic; with wildcards here each request must name one.",
		example: "devices/+/temperature",
	},
	consumerID: {
		kind: "text",
		origin: "specification",
		option: "clientId",
		required: true,
		maxBytes: 65_535,
		withoutNul: true,
		meaning:
			"The MQTT client identifier, exactly as given. `{uuid}` in it becomes random at each start: then set `cleanSession: true`.",
		example: "myapp",
	},
	retain: {
		kind: "boolean",
		origin: "specification",
		direction: "output",
		default: false,
		meaning: "Whether the broker keeps a published message as the topic's last one. A request's own `retain` wins.",
		example: "false",
	},
	cleanSession: {
		kind: "boolean",
		origin: "specification",
		default: false,
		meaning:
			"Start each connection with an empty session. `false`: the broker keeps messages while the connection is away.",
		example: "false",
	},
	caCert: {
		kind: "pem",
		origin: "specification",
		meaning:
			"Certificates of the authorities that may vouch for the broker, instead of the system's. PEM: as it is, with `\\n` spelled out, in base64, or `file:PATH`.",
		example: "file:/etc/mqtt/ca.pem",
	},
	clientCert: {
		kind: "pem",
		origin: "specification",
		meaning:
			"The client's TLS certificate and what leads to its authority. Together with `clientKey`; forms as for `caCert`.",
		example: "file:/etc/mqtt/client.pem",
	},
	clientKey: {
		kind: "pem",
		origin: "specification",
		secret: true,
		meaning: "The private key of `clientCert`; forms as for `caCert`.",
		example: "file:/etc/mqtt/client.key",
	},
	backOffMaxRetries: {
		kind: "integer",
		origin: "specification",
		direction: "input",
		default: 0,
		minimum: -1,
		maximum: Number.MAX_SAFE_INTEGER,
		meaning: "How often a delivery that failed is tried again, `backOffInterval` apart; `-1`: until it succeeds.",
		example: "3",
	},
} as const satisfies Fields;
