import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MetadataReader } from "./metadata.js";
import { MQTT3_FIELDS } from "./mqtt3-fields.js";
import { formatMqtt3Metadata, parseMqtt3Metadata } from "./mqtt3-metadata.js";
import { type Mqtt3Options, optionWarnings, resolveOptions } from "./mqtt3-options.js";
import { Problems } from "./problems.js";

const REQUIRED: Mqtt3Options = { url: "tcp://localhost", topic: "a/b", clientId: "me" };

const text = (maxLength = 20) =>
	fc.string({ unit: "binary", minLength: 1, maxLength }).filter((s) => !s.includes("\0"));
const milliseconds = fc.integer({ min: 1, max: 86_400_000 });
const qos = fc.constantFrom(0 as const, 1 as const, 2 as const);
const level = fc.stringMatching(/^[a-z $]{1,5}$/);
const filter = fc.array(level, { minLength: 1, maxLength: 4 }).map((levels) => `x/${levels.join("/")}`);

const anyOptions: fc.Arbitrary<Mqtt3Options> = fc.record(
	{
		url: fc.constantFrom("tcp://localhost", "tcp://h:1884", "ws://h/mqtt?x=y", "mqtt://[::1]"),
		topic: filter,
		clientId: text().filter((id) => !id.includes("{")),
		topics: fc.array(filter, { maxLength: 3 }),
		qos,
		retain: fc.boolean(),
		cleanSession: fc.boolean(),
		username: text(),
		keepAliveMs: fc.integer({ min: 1, max: 65_535 }).map((seconds) => seconds * 1_000),
		connectTimeoutMs: milliseconds,
		publishTimeoutMs: milliseconds,
		maxInFlight: fc.integer({ min: 1, max: 65_535 }),
		maxPayloadSize: fc.integer({ min: 1, max: 2 ** 28 }),
		onOversized: fc.constantFrom("hold" as const, "drop" as const),
		maxBuffered: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
		ackOrder: fc.constantFrom("arrival" as const, "strict" as const),
		backOffMaxRetries: fc.integer({ min: -1, max: Number.MAX_SAFE_INTEGER }),
		backOffIntervalMs: milliseconds,
		onRetriesExhausted: fc.constantFrom("hold" as const, "drop" as const),
		holdIntervalMs: milliseconds,
		willTopic: filter,
		contentType: fc.constantFrom("text/plain", "application/json; charset=utf-8"),
		encoding: fc.constantFrom("json" as const, "utf8" as const, "base64" as const),
		splitConnections: fc.boolean(),
		direction: fc.uniqueArray(fc.constantFrom("input" as const, "output" as const), { minLength: 1 }),
		route: fc.stringMatching(/^[a-z/]{1,10}$/),
		insecureSkipVerify: fc.boolean(),
		tlsServerName: text(),
		alpn: fc.array(text(), { maxLength: 2 }),
		caCert: text(),
	},
	{ requiredKeys: ["url", "topic", "clientId"] },
);

describe("typed options", () => {
	test("P11: written as metadata they read back the same", () => {
		fc.assert(
			fc.property(anyOptions, (options) => {
				const problems = new Problems();
				const metadata = { name: "orders", properties: formatMqtt3Metadata(options) };
				expect(new MetadataReader(MQTT3_FIELDS, metadata, problems).read(problems)).toEqual(options);
				expect(problems.all).toEqual([]);
			}),
		);
	});

	test("P11: come to the same settings as the metadata they are written as", () => {
		fc.assert(
			fc.property(anyOptions, (options) => {
				const { settings } = parseMqtt3Metadata({ name: "orders", properties: formatMqtt3Metadata(options) });
				expect(settings).toEqual(resolveOptions(options));
			}),
		);
	});

	test("need an address, a topic and a client identifier and nothing else", () => {
		expect(resolveOptions(REQUIRED)).toMatchObject({ clientId: "me", topic: "a/b", qos: 1, keepAliveMs: 30_000 });
		expect(() => resolveOptions({ url: "", topic: "", clientId: "" })).toThrow(
			"missing url\nmissing topic\nmissing clientId",
		);
	});

	test("that are undefined get their default", () => {
		expect(resolveOptions({ ...REQUIRED, qos: undefined, keepAliveMs: undefined })).toEqual(resolveOptions(REQUIRED));
	});

	test("that are wrong are all named, with their option's name", () => {
		const wrong = {
			...REQUIRED,
			clientId: 5,
			qos: 3,
			keepAliveMs: 0,
			retain: "true",
			maxInFlight: 1.5,
			direction: [],
			topics: "a",
			encoding: "hex",
			password: 12345,
			maxBuffered: 0,
		} as unknown as Mqtt3Options;
		expect(() => resolveOptions(wrong)).toThrow(
			[
				'option "clientId": 5 is not text: expected text',
				'option "retain": "true" is not a boolean: expected true or false',
				'option "password": its value is not text: expected text',
				'option "keepAliveMs": 0 is out of range: expected milliseconds, 1000 to 65535000 in steps of 1000',
				'option "qos": 3 is not a QoS: expected 0, 1 or 2',
				'option "topics": "a" is not a list: expected an array of strings',
				'option "maxInFlight": 1.5 is not an integer: expected a whole number, 1 to 65535',
				'option "maxBuffered": 0 is out of range: expected bytes, at least 1',
				'option "encoding": "hex" is not allowed: expected json, utf8 or base64',
				'option "direction": its value is not allowed: expected an array of input or output',
			].join("\n"),
		);
	});

	test("that fit each other badly are warned about", () => {
		const options: Mqtt3Options = { ...REQUIRED, ackOrder: "strict" };
		expect(optionWarnings(options, resolveOptions(options))).toEqual([
			expect.stringMatching(/^option "ackOrder": strict with /),
		]);
	});
});
