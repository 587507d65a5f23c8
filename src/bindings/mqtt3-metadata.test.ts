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
			broker: { transport: "tcp", host: "localhost", port: 1883, path: "", href: "tcp://localhost:1883" },
			clientId: "myapp",
			topic: "mytopic",
			filters: ["mytopic"],
			qos: 1,
			retain: false,
			cleanSession: false,
			username: "alice",
			password: "s3cret",
			keepAliveMs: 30_000,
			connectTimeoutMs: 10_000,
			publishTimeoutMs: 10_000,
			maxInFlight: 256,
			maxPayloadSize: 4_194_304,
			onOversized: "hold",
			maxBuffered: 67_108_864,
			ackOrder: "arrival",
			backOffMaxRetries: 0,
			backOffIntervalMs: 5_000,
			onRetriesExhausted: "hold",
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
		const supported = Object.entries(MQTT3_FIELDS).filter(([, field]) => !("notYet" in field));
		const examples = Object.fromEntries(supported.map(([name, field]) => [name, sound[name] ?? field.example]));
		// The example files are not on this machine.
		for (const name of Object.keys(sound))
			expect(MQTT3_FIELDS[name as keyof typeof MQTT3_FIELDS].example).toMatch(/^file:/);
		const { settings, warnings } = parse({ ...examples, url: "ssl://localhost" });
		expect(warnings).toEqual([]);
		expect(settings).toMatchObject({
			filters: ["devices/+/temperature", "alarms/#", "devices/+/status"],
			route: "events/orders",
		});
	});

	test.each(Object.entries(MQTT3_FIELDS).filter(([, field]) => !("notYet" in field) && field.kind !== "pem"))(
		"%s: its example parses by itself",
		(name, field) => {
			const needs = name === "password" ? { username: "u" } : name.startsWith("will") ? { willTopic: "w" } : {};
			expect(problemsOf({ ...needs, [name]: field.example })).toEqual([]);
		},
	);

	test.each(Object.entries(MQTT3_FIELDS).filter(([, field]) => "notYet" in field))(
		"%s: naming it fails, as this version does not support it yet",
		(name, field) => {
			expect(problemsOf({ [name]: field.example })).toEqual([`field "${name}": this version does not support it yet`]);
		},
	);
});

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
const WRITTEN_DURATION = "written as 5s, 1m30s or 250ms; a bare number is seconds";
const WRITTEN_SIZE = "written as 65536, 64Ki, 4Mi or 1G";

describe("a wrong value is refused with its reason", () => {
	test.each<[string, string, string]>([
		[
			"url",
			"localhost:1883",
			'url": has no scheme; expected tcp, mqtt, ssl, tls, tcps, mqtts, ws, wss before the host, as in tcp://host:1883',
		],
		["url", "tcp://a,tcp://b", 'url": names 2 brokers, and this version does not support more than one yet'],
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
		["ordering", "topic", 'ordering": "topic" is not supported by this version yet: expected none'],
		[
			"backOffPolicy",
			"exponential",
			'backOffPolicy": "exponential" is not supported by this version yet: expected constant',
		],
		[
			"onRetriesExhausted",
			"deadLetter",
			'onRetriesExhausted": "deadLetter" is not supported by this version yet: expected hold or drop',
		],
		["onRetriesExhausted", "give up", 'onRetriesExhausted": "give up" is not allowed: expected hold or drop'],
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
		[
			{ username: "u", password: "p\0" },
			{ username: "u", password: "p\0" },
		],
		[
			{ url: "tcp://u@localhost", password: "p" },
			{ username: "u", password: "p" },
		],
		[
			{ url: "tcp://u:p@localhost", username: "u", password: "p" },
			{ username: "u", password: "p" },
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

	test("user name and password stand in the settings alone, not in the broker's address", () => {
		expect(settingsOf({ url: "tcp://u:p@localhost" }).broker).toEqual({
			transport: "tcp",
			host: "localhost",
			port: 1883,
			path: "",
			href: "tcp://localhost:1883",
		});
	});
});

describe("fields that contradict each other are refused", () => {
	test.each<[Record<string, string>, readonly string[]]>([
		[{ url: "tcp://u:p@localhost", username: "v" }, ['field "username": differs from the one in url: give it once']],
		[{ url: "tcp://u:p@localhost", password: "q" }, ['field "password": differs from the one in url: give it once']],
		[{ username: "", password: "p" }, ['field "username": is empty']],
		[{ url: "gopher://u@localhost", password: "p" }, [expect.stringContaining('field "url": has the unknown scheme')]],
		[{ willTopic: "", willQos: "1" }, ['field "willTopic": is empty']],
	])("%j", (properties, problems) => {
		expect(problemsOf(properties)).toEqual(problems);
	});
});
