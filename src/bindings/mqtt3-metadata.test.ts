import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createCa } from "../../test/support/certificates.js";
import { ConfigurationError } from "../errors.js";
import type { ComponentMetadata } from "./binding.js";
import { MQTT3_FIELDS } from "./mqtt3-fields.js";
import { parseMqtt3Metadata } from "./mqtt3-metadata.js";
import type { Mqtt3Settings } from "./mqtt3-options.js";

const REQUIRED = { url: "tcp://localhost", topic: "a/b", consumerID: "me" };

function parse(properties: Record<string, string>, place: Partial<ComponentMetadata> = {}) {
	return parseMqtt3Metadata({ name: "orders", properties: { ...REQUIRED, ...properties }, ...place });
}

function settingsOf(properties: Record<string, string>): Mqtt3Settings {
	return parse(properties).settings;
}

/** The lines of the one error, without the component in front. */
function problemsOf(properties: Record<string, string>): readonly string[] {
	try {
		parse(properties);
	} catch (error) {
		if (!(error instanceof ConfigurationError)) throw error;
		expect(error.component).toBe("orders");
		return error.message.split("\n").map((line) => line.replace('component "orders": ', ""));
	}
	return [];
}

describe("the specification's page", () => {
	test("its first example parses, with its defaults", () => {
		const { settings, warnings } = parse({
			url: "tcp://alice:s3cret@localhost:1883",
			topic: "mytopic",
			consumerID: "myapp",
			retain: "false",
			cleanSession: "false",
			backOffMaxRetries: "0",
		});
		expect(warnings).toEqual([]);
		expect(settings).toEqual({
			brokers: [
				{
					transport: "tcp",
					host: "localhost",
					port: 1883,
					path: "",
					href: "tcp://localhost:1883",
					username: "alice",
					password: "s3cret",
				},
			],
			clientId: "myapp",
			topic: "mytopic",
			filters: ["mytopic"],
			unsubscribe: [],
			leaveGroupOnStop: false,
			qos: 1,
			retain: false,
			cleanSession: false,
			keepAliveMs: 30_000,
			connectTimeoutMs: 10_000,
			publishTimeoutMs: 10_000,
			maxInFlight: 256,
			maxPayloadSize: 4_194_304,
			onOversized: "hold",
			maxBuffered: 67_108_864,
			ordering: "none",
			ackOrder: "arrival",
			backOffMaxRetries: 0,
			backOffPolicy: "constant",
			backOffIntervalMs: 5_000,
			backOffMaxIntervalMs: 60_000,
			onRetriesExhausted: "hold",
			dropOn: [],
			deadLetterOn: [],
			holdIntervalMs: 30_000,
			contentType: "application/json",
			encoding: "json",
			splitConnections: false,
		});
	});

	test("its spelling backoffMaxRetries is the same field", () => {
		expect(settingsOf({ backoffMaxRetries: "-1" }).backOffMaxRetries).toBe(-1);
		expect(problemsOf({ backoffMaxRetries: "1", backOffMaxRetries: "2" })).toEqual([
			'field "backOffMaxRetries": is given twice, as "backoffMaxRetries" and as "backOffMaxRetries"',
		]);
	});

	test("its TLS example parses with real certificates", async () => {
		const ca = await createCa();
		const { cert, key } = await ca.issue();
		const { settings, warnings } = parse({ url: "ssl://localhost", caCert: ca.cert, clientCert: cert, clientKey: key });
		expect(warnings).toEqual([]);
		expect(settings.tls).toEqual({ ca: ca.cert, cert, key: key.trim(), insecureSkipVerify: false });
	});
});

describe("every field of the table", () => {
	let folder: string;
	let sound: Record<string, string>;

	beforeAll(async () => {
		folder = mkdtempSync(join(tmpdir(), "mqtt3-metadata-"));
		const { cert, key } = await (await createCa()).issue();
		writeFileSync(join(folder, "cert.pem"), cert);
		writeFileSync(join(folder, "key.pem"), key, { mode: 0o600 });
		sound = {
			caCert: `file:${folder}/cert.pem`,
			clientCert: `file:${folder}/cert.pem`,
			clientKey: `file:${folder}/key.pem`,
		};
	});
	afterAll(() => rmSync(folder, { recursive: true, force: true }));

	test("has an example, and all examples together parse without a warning", () => {
		const examples = Object.fromEntries(
			Object.entries(MQTT3_FIELDS).map(([name, field]) => [name, sound[name] ?? field.example]),
		);
		// The example files are not on this machine.
		for (const name of Object.keys(sound))
			expect(MQTT3_FIELDS[name as keyof typeof MQTT3_FIELDS].example).toMatch(/^file:/);
		const { settings, warnings } = parse({ ...examples, url: "ssl://localhost" });
		expect(warnings).toEqual([]);
		expect(settings).toMatchObject({
			filters: ["devices/+/temperature", "alarms/#", "devices/+/status"].map((filter) => `$share/workers/${filter}`),
			route: "events/orders",
		});
	});

	test.each(Object.entries(MQTT3_FIELDS).filter(([, field]) => field.kind !== "pem"))(
		"%s: its example parses by itself",
		(name, field) => {
			expect(problemsOf({ ...neededBy(name), [name]: field.example })).toEqual([]);
		},
	);
});

/** What a field can't stand without. */
function neededBy(name: string): Record<string, string> {
	if (name === "password") return { username: "u" };
	if (name.startsWith("will")) return { willTopic: "w" };
	if (name === "leaveGroupOnStop") return { consumerGroup: "g" };
	return name === "deadLetterFormat" || name === "deadLetterOn" ? { deadLetterTopic: "dead-letters" } : {};
}

describe("required fields", () => {
	test("that are missing are all named, in daprd's order and words", () => {
		const source = { source: "orders.yaml:7" };
		expect(() => parseMqtt3Metadata({ name: "orders", properties: {}, ...source })).toThrow(
			[
				'component "orders" (orders.yaml:7): missing url',
				'component "orders" (orders.yaml:7): missing topic',
				'component "orders" (orders.yaml:7): missing consumerID',
			].join("\n"),
		);
	});

	test("that are empty are missing", () => {
		expect(problemsOf({ url: "", topic: "", consumerID: "" })).toEqual([
			"missing url",
			"missing topic",
			"missing consumerID",
		]);
	});
});

describe("an error", () => {
	test("names component, file, line, field, value and what is expected", () => {
		const place = { source: "orders.yaml:4", sources: { QoS: "orders.yaml:12" } };
		expect(() => parse({ QoS: "3" }, place)).toThrow(
			expect.objectContaining({
				message: 'component "orders" (orders.yaml:12): field "qos": "3" is not a QoS: expected 0, 1 or 2',
				component: "orders",
				property: "qos",
			}),
		);
	});

	test("tells everything that is wrong at once", () => {
		expect(
			problemsOf({ url: "gopher://h", topic: "a/#/b", qos: "9", retain: "maybe", willQos: "1", clientKey: "" }).map(
				(line) => line.slice(0, line.indexOf(":")),
			),
		).toEqual([
			'field "retain"',
			'field "clientKey"',
			'field "qos"',
			'field "url"',
			'field "topic"',
			'field "willQos"',
		]);
	});
});

const EXPECTED_BOOLEAN = "expected true, yes, y, t, on, 1 or false, no, n, f, off, 0";
const EXPECTED_STATUSES =
	"expected HTTP statuses from 300 on, 3xx, 4xx, 5xx or names of gRPC codes as INVALID_ARGUMENT, with commas between";
const WRITTEN_DURATION = "written as 5s, 1m30s or 250ms; a bare number is seconds";
const WRITTEN_SIZE = "written as 65536, 64Ki, 4Mi or 1G";

describe("a wrong value is refused with its reason", () => {
	test.each<[string, string, string]>([
		[
			"url",
			"localhost:1883",
			'url": has no scheme; expected tcp, mqtt, ssl, tls, tcps, mqtts, ws, wss before the host, as in tcp://host:1883',
		],
		["url", "tcp://a,tcp://b,mqtt://a:1883", 'url": names tcp://a:1883 twice'],
		["topic", "a/#/b", 'topic": "a/#/b" holds a # that is not its last level'],
		["topic", "a+", 'topic": "a+" holds a + that does not fill a level'],
		["topics", '["a","b+"]', 'topics": "b+" holds a + that does not fill a level'],
		["topics", "a,b", 'topics": "a,b" is not a list: expected a YAML list of texts or its JSON text'],
		["topics", "[1]", 'topics": "[1]" is not a list: expected a YAML list of texts or its JSON text'],
		["topics", '[""]', 'topics": "" is empty'],
		["consumerID", "a\0b", 'consumerID": holds the character U+0000'],
		["consumerID", "a\ud800", 'consumerID": is not well-formed Unicode'],
		["consumerID", "é".repeat(32_768), 'consumerID": is 65536 bytes long: expected at most 65535'],
		["consumerID", "gateway-{podName}", 'consumerID": holds the placeholder {podName}, which was not resolved'],
		["retain", "maybe", `retain": "maybe" is not a boolean: ${EXPECTED_BOOLEAN}`],
		["cleanSession", "", `cleanSession": "" is not a boolean: ${EXPECTED_BOOLEAN}`],
		["backOffMaxRetries", "3.5", 'backOffMaxRetries": "3.5" is not an integer: expected a whole number, at least -1'],
		["backOffMaxRetries", "010", 'backOffMaxRetries": "010" is not an integer: expected a whole number, at least -1'],
		["backOffMaxRetries", "abc", 'backOffMaxRetries": "abc" is not an integer: expected a whole number, at least -1'],
		["backOffMaxRetries", "", 'backOffMaxRetries": "" is not an integer: expected a whole number, at least -1'],
		["backOffMaxRetries", "-2", 'backOffMaxRetries": "-2" is out of range: expected a whole number, at least -1'],
		["username", "", 'username": is empty'],
		["username", "a\0", 'username": holds the character U+0000'],
		["password", "canary", 'password": a password needs a user name [MQTT-3.1.2-22]'],
		["tlsServerName", "", 'tlsServerName": is empty'],
		["insecureSkipVerify", "sure", `insecureSkipVerify": "sure" is not a boolean: ${EXPECTED_BOOLEAN}`],
		["qos", "-1", 'qos": "-1" is not a QoS: expected 0, 1 or 2'],
		[
			"keepAlive",
			"0",
			`keepAlive": "0" is out of range: expected 1s to 18h12m15s in whole seconds, ${WRITTEN_DURATION}`,
		],
		[
			"keepAlive",
			"65536",
			`keepAlive": "65536" is out of range: expected 1s to 18h12m15s in whole seconds, ${WRITTEN_DURATION}`,
		],
		[
			"keepAlive",
			"1500ms",
			`keepAlive": "1500ms" is out of range: expected 1s to 18h12m15s in whole seconds, ${WRITTEN_DURATION}`,
		],
		["connectTimeout", "0s", `connectTimeout": "0s" is out of range: expected 1ms to 24h, ${WRITTEN_DURATION}`],
		["publishTimeout", "soon", `publishTimeout": "soon" is not a duration: expected 1ms to 24h, ${WRITTEN_DURATION}`],
		["backOffInterval", "-5s", `backOffInterval": "-5s" is not a duration: expected 1ms to 24h, ${WRITTEN_DURATION}`],
		["holdInterval", "25h", `holdInterval": "25h" is out of range: expected 1ms to 24h, ${WRITTEN_DURATION}`],
		["maxInFlight", "0", 'maxInFlight": "0" is out of range: expected a whole number, 1 to 65535'],
		["maxPayloadSize", "4MB", `maxPayloadSize": "4MB" is not a size: expected 1 to 256Mi, ${WRITTEN_SIZE}`],
		["maxPayloadSize", "1Gi", `maxPayloadSize": "1Gi" is out of range: expected 1 to 256Mi, ${WRITTEN_SIZE}`],
		["maxBuffered", "0", `maxBuffered": "0" is out of range: expected at least 1, ${WRITTEN_SIZE}`],
		["onOversized", "Hold", 'onOversized": "Hold" is not allowed: expected hold or drop'],
		["ackOrder", "any", 'ackOrder": "any" is not allowed: expected arrival or strict'],
		["ordering", "Topic", 'ordering": "Topic" is not allowed: expected none or topic'],
		["backOffPolicy", "linear", 'backOffPolicy": "linear" is not allowed: expected constant or exponential'],
		["backOffMaxInterval", "1s", 'backOffMaxInterval": 1s is shorter than backOffInterval: expected at least 5s'],
		["onRetriesExhausted", "deadLetter", 'onRetriesExhausted": needs deadLetterTopic, which is missing'],
		[
			"onRetriesExhausted",
			"give up",
			'onRetriesExhausted": "give up" is not allowed: expected hold, deadLetter or drop',
		],
		["deadLetterFormat", "raw", 'deadLetterFormat": needs deadLetterTopic, which is missing'],
		["deadLetterOn", "400", 'deadLetterOn": needs deadLetterTopic, which is missing'],
		["deadLetterTopic", "dead/#", 'deadLetterTopic": "dead/#" holds a wildcard, + or #'],
		["deadLetterTopic", "", 'deadLetterTopic": is empty'],
		["deadLetterTopic", "$SYS/dead", 'deadLetterTopic": "$SYS/dead" $SYS belongs to the broker'],
		[
			"deadLetterTopic",
			"a/b",
			'deadLetterTopic": "a/b" is read by this input: the filter "a/b" matches it, expected a topic that no filter of its own matches',
		],
		["dropOn", "400,teapot", `dropOn": "400,teapot" is not a list of statuses: ${EXPECTED_STATUSES}`],
		["dropOn", "", `dropOn": "" is not a list of statuses: ${EXPECTED_STATUSES}`],
		["deadLetterOn", "204", `deadLetterOn": "204" is not a list of statuses: ${EXPECTED_STATUSES}`],
		["handlerTimeout", "0", `handlerTimeout": "0" is out of range: expected 1ms to 24h, ${WRITTEN_DURATION}`],
		["handlerTimeout", "-1s", `handlerTimeout": "-1s" is not a duration: expected 1ms to 24h, ${WRITTEN_DURATION}`],
		["consumerGroup", "a/b", 'consumerGroup": "a/b" is not a group: expected a name without /, + and #'],
		["consumerGroup", "", 'consumerGroup": is empty'],
		["unsubscribe", '["a/#/b"]', 'unsubscribe": "a/#/b" holds a # that is not its last level'],
		[
			"unsubscribe",
			'["a/b"]',
			'unsubscribe": "a/b" is what the input subscribes to: name only filters that it no longer has',
		],
		[
			"leaveGroupOnStop",
			"true",
			'leaveGroupOnStop": true without a group: nobody else would get the messages, expected consumerGroup or a topic of the form $share/<group>/<filter>',
		],
		["willTopic", "a/+", 'willTopic": "a/+" holds a wildcard, + or #'],
		["willPayload", "x", 'willPayload": needs willTopic, which is missing'],
		["willRetain", "true", 'willRetain": needs willTopic, which is missing'],
		["contentType", "json", 'contentType": "json" is not a media type: expected type/subtype'],
		[
			"contentType",
			"text/plain\r\nx: y",
			'contentType": "text/plain\\r\\nx: y" is not a media type: expected type/subtype',
		],
		["encoding", "hex", 'encoding": "hex" is not allowed: expected json, utf8 or base64'],
		["splitConnections", "2", `splitConnections": "2" is not a boolean: ${EXPECTED_BOOLEAN}`],
		[
			"direction",
			"input, sideways",
			'direction": "input, sideways" is not allowed: expected input or output, or several with commas between',
		],
		["direction", "", 'direction": "" is not allowed: expected input or output, or several with commas between'],
		["route", "/a b", 'route": "/a b" is not a path: expected visible ASCII, the rest percent-encoded'],
	])("%s: %.30j", (name, value, problem) => {
		expect(problemsOf({ [name]: value })).toEqual([`field "${problem}`]);
	});

	test.each<[string, string, string]>([
		["alpn", '["mqtt",""]', 'alpn": "" is not a protocol: expected 1 to 255 bytes'],
		["clientKey", "", 'clientKey": is empty'],
		["caCert", "canary", 'caCert": is not PEM: expected PEM, base64 of PEM, or file:PATH'],
	])("%s: %j", (name, value, problem) => {
		expect(problemsOf({ url: "ssl://h", [name]: value })).toEqual([`field "${problem}`]);
	});
});

describe("a right value is understood", () => {
	test.each(["true", "yes", "y", "t", "on", "1", "TRUE", "Yes", " on\n"])("true may be written %j", (text) => {
		expect(settingsOf({ retain: text }).retain).toBe(true);
	});

	test.each(["false", "no", "n", "f", "off", "0", "OFF"])("false may be written %j", (text) => {
		expect(settingsOf({ retain: text }).retain).toBe(false);
	});

	test.each<[Record<string, string>, Partial<Mqtt3Settings>]>([
		[
			{ topic: "a/#", topics: '["b/+","a/#","b/+"]' },
			{ topic: "a/#", filters: ["a/#", "b/+"] },
		],
		[{ topic: "$share/g/a/#" }, { filters: ["$share/g/a/#"] }],
		[{ topics: "[]" }, { filters: ["a/b"] }],
		[{ consumerID: " My App é" }, { clientId: " My App é" }],
		[{ cleanSession: "true" }, { cleanSession: true, onRetriesExhausted: "drop" }],
		[{ onRetriesExhausted: "drop" }, { cleanSession: false, onRetriesExhausted: "drop" }],
		[{ backOffMaxRetries: "+3" }, { backOffMaxRetries: 3 }],
		[{ backOffInterval: "2m" }, { backOffIntervalMs: 120_000, backOffMaxIntervalMs: 120_000 }],
		[
			{ deadLetterTopic: "dead", cleanSession: "true" },
			{ onRetriesExhausted: "deadLetter", deadLetter: { topic: "dead", format: "json" } },
		],
		[
			{ deadLetterTopic: "dead", deadLetterFormat: "raw", onRetriesExhausted: "hold", deadLetterOn: "4XX, 500 ,4xx" },
			{ onRetriesExhausted: "hold", deadLetter: { topic: "dead", format: "raw" }, deadLetterOn: ["4xx", "500"] },
		],
		[{ dropOn: "422,invalid_argument" }, { dropOn: ["422", "INVALID_ARGUMENT"] }],
		[{ handlerTimeout: "1m" }, { handlerTimeoutMs: 60_000 }],
		[
			{ consumerGroup: "g", topics: '["b"]', unsubscribe: '["a/b"]', leaveGroupOnStop: "true" },
			{ topic: "a/b", filters: ["$share/g/a/b", "$share/g/b"], unsubscribe: ["a/b"], leaveGroupOnStop: true },
		],
		[{ keepAlive: "1m" }, { keepAliveMs: 60_000 }],
		[{ keepAlive: "65535" }, { keepAliveMs: 65_535_000 }],
		[
			{ backOffInterval: "250ms", holdInterval: "2", connectTimeout: "1.5s" },
			{ backOffIntervalMs: 250, holdIntervalMs: 2_000, connectTimeoutMs: 1_500 },
		],
		[
			{ maxPayloadSize: "256Mi", maxBuffered: "1G" },
			{ maxPayloadSize: 268_435_456, maxBuffered: 1_000_000_000 },
		],
		[{ ordering: "none", backOffPolicy: "constant" }, {}],
		[{ willTopic: "w" }, { will: { topic: "w", payload: Buffer.from(""), qos: 0, retain: false } }],
		[
			{ willTopic: "w", willPayload: "bye é", willQos: "2", willRetain: "on" },
			{ will: { topic: "w", payload: Buffer.from("bye é"), qos: 2, retain: true } },
		],
		[
			{ contentType: "application/cloudevents+json; charset=utf-8" },
			{ contentType: "application/cloudevents+json; charset=utf-8" },
		],
		[{ direction: " Input , OUTPUT,input" }, { direction: ["input", "output"] }],
		[{ direction: "output" }, { direction: ["output"] }],
		[{ route: "//events//orders/" }, { route: "events/orders" }],
		[{ route: "events/../orders?x=1" }, { route: "orders?x=1" }],
		[{ route: "/" }, { route: "" }],
	])("%j", (properties, settings) => {
		expect(settingsOf(properties)).toMatchObject(settings);
	});

	test("an empty route counts as absent", () => {
		expect(settingsOf({ route: "" })).not.toHaveProperty("route");
	});

	test.each<[Record<string, string>, readonly (readonly [string, string?, string?])[]]>([
		[{ url: "tcp://u:p@localhost" }, [["tcp://localhost:1883", "u", "p"]]],
		[{ username: "u", password: "p\0" }, [["tcp://localhost:1883", "u", "p\0"]]],
		[{ url: "tcp://u@localhost", password: "p" }, [["tcp://localhost:1883", "u", "p"]]],
		[{ url: "tcp://u:p@localhost", username: "u", password: "p" }, [["tcp://localhost:1883", "u", "p"]]],
		[
			{ url: "tcp://u:p@a, ssl://v:q@b" },
			[
				["tcp://a:1883", "u", "p"],
				["tls://b:8883", "v", "q"],
			],
		],
		[
			{ url: "tcp://a,tcp://b", username: "u" },
			[
				["tcp://a:1883", "u"],
				["tcp://b:1883", "u"],
			],
		],
	])("each broker has its user name and password: %j", (properties, brokers) => {
		const found = settingsOf(properties).brokers.map(({ href, username, password }) => [href, username, password]);
		expect(found).toEqual(brokers.map(([href, username, password]) => [href, username, password]));
	});
});

describe("fields that contradict each other are refused", () => {
	test.each<[Record<string, string>, readonly string[]]>([
		[{ url: "tcp://u:p@localhost", username: "v" }, ['field "username": differs from the one in url: give it once']],
		[{ url: "tcp://u:p@localhost", password: "q" }, ['field "password": differs from the one in url: give it once']],
		[{ username: "", password: "p" }, ['field "username": is empty']],
		[{ url: "gopher://u@localhost", password: "p" }, [expect.stringContaining('field "url": has the unknown scheme')]],
		[{ willTopic: "", willQos: "1" }, ['field "willTopic": is empty']],
		[{ url: "tcp://u@a,tcp://v@b", username: "u" }, ['field "username": differs from the one in url: give it once']],
		[{ url: "tcp://a,tcp://:p@b" }, ['field "url": has a password without a user name [MQTT-3.1.2-22]']],
		[
			{ topic: "$share/h/a", consumerGroup: "g" },
			['field "consumerGroup": stands beside "$share/h/a", which names a group of its own: give it once'],
		],
		[
			{ dropOn: "422,5xx", deadLetterOn: "5XX", deadLetterTopic: "dead" },
			['field "deadLetterOn": "5xx" stands in dropOn as well: name it in one of them'],
		],
		[
			{ topic: "+/x", deadLetterTopic: "dead", deadLetterFormat: "raw" },
			[
				'field "deadLetterTopic": "dead" is read by this input: the filter "+/x" matches it or topics below it (deadLetterFormat: raw), expected a topic that no filter of its own matches',
			],
		],
		[
			{ topic: "$share/g/#", deadLetterTopic: "dead" },
			[
				'field "deadLetterTopic": "dead" is read by this input: the filter "$share/g/#" matches it, expected a topic that no filter of its own matches',
			],
		],
		[
			{ backOffInterval: "10s", backOffMaxInterval: "5s" },
			['field "backOffMaxInterval": 5s is shorter than backOffInterval: expected at least 10s'],
		],
	])("%j", (properties, problems) => {
		expect(problemsOf(properties)).toEqual(problems);
	});
});
