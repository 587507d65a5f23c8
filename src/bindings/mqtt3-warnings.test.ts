import { describe, expect, test } from "vitest";
import { createCa } from "../../test/support/certificates.js";
import { parseMqtt3Metadata } from "./mqtt3-metadata.js";

function warningsOf(properties: Record<string, string>, templated: readonly string[] = []): readonly string[] {
	const all = { url: "tcp://localhost", topic: "a/b", consumerID: "me", ...properties };
	return parseMqtt3Metadata({ name: "orders", properties: all, templated }).warnings.map((line) =>
		line.replace('component "orders": ', ""),
	);
}

describe("Init warns about", () => {
	const random =
		'field "consumerID": is random ({uuid}) with cleanSession: false: each start leaves a session behind at the broker, and what is queued in it: set cleanSession: true or a consumerID that stays';
	test("a random client identifier with a session that stays", () => {
		expect(warningsOf({}, ["consumerID"])).toEqual([random]);
		expect(warningsOf({ cleanSession: "false" }, ["topic", "consumerid"])).toEqual([random]);
		expect(warningsOf({ cleanSession: "true" }, ["consumerID"])).toEqual([]);
		expect(warningsOf({}, ["topic"])).toEqual([]);
	});

	test("hold with a session that does not stay", () => {
		const held =
			'field "onRetriesExhausted": hold with cleanSession: true loses what is held when the connection is lost: set cleanSession: false or onRetriesExhausted: drop';
		expect(warningsOf({ cleanSession: "true", onRetriesExhausted: "hold" })).toEqual([held]);
		expect(warningsOf({ cleanSession: "true", onRetriesExhausted: "hold", direction: "input" })).toEqual([held]);
		expect(warningsOf({ cleanSession: "true", onRetriesExhausted: "hold", direction: "output" })).toEqual([]);
		expect(warningsOf({ cleanSession: "true" })).toEqual([]);
	});

	test("strict order with hold, which is the default", () => {
		const strict =
			'field "ackOrder": strict with onRetriesExhausted: hold: one message that the app refuses stops all acknowledgements and soon the consumer: set ackOrder: arrival or onRetriesExhausted: drop';
		expect(warningsOf({ ackOrder: "strict" })).toEqual([strict]);
		expect(warningsOf({ ackOrder: "strict", onRetriesExhausted: "drop" })).toEqual([]);
		expect(warningsOf({ ackOrder: "strict", cleanSession: "true" })).toEqual([]);
	});

	test("a shared filter where nobody subscribes", () => {
		expect(warningsOf({ topic: "$share/g/a", direction: "output" })).toEqual([
			'field "topic": "$share/g/a" with direction: output is a filter that nobody subscribes to: each create must name a topic of its own',
		]);
		expect(warningsOf({ topic: "$share/g/a" })).toEqual([]);
		expect(warningsOf({ topic: "$share/g/a", direction: "input,output" })).toEqual([]);
	});

	test.each([
		"tcp://u:p@example.com",
		"ws://u@10.0.0.1/mqtt",
		"tcp://u:p@[2001:db8::1]",
		"tcp://u@127.0.0.1.example.com",
	])("credentials that go unencrypted to another host: %s", (url) => {
		const warnings = warningsOf({ url });
		expect(warnings).toHaveLength(1);
		expect(warnings[0]).toMatch(
			/^field "url": user name and password go to (tcp|ws):\/\/[^@]+ unencrypted: use ssl:\/\/ or wss:\/\/$/,
		);
	});

	test.each([
		"tcp://u:p@localhost",
		"tcp://u:p@127.1.2.3",
		"tcp://u:p@[::1]",
		"tcp://u:p@mqtt.localhost",
		"ssl://u:p@example.com",
		"tcp://example.com",
	])("no credentials with %s", (url) => {
		expect(warningsOf({ url })).toEqual([]);
	});

	test("a broker that is not checked", () => {
		expect(warningsOf({ url: "ssl://h", insecureSkipVerify: "true" })).toEqual([
			'field "insecureSkipVerify": true: any certificate of the broker is accepted, so whoever is on the way can read and change everything',
		]);
		expect(warningsOf({ url: "ssl://h", insecureSkipVerify: "false" })).toEqual([]);
	});

	test("TLS fields without TLS, which are then not even looked at", async () => {
		const reason = "is not used: tcp://localhost:1883 is without TLS, ssl:// and wss:// are with it";
		expect(warningsOf({ caCert: "not PEM", tlsServerName: "x", insecureSkipVerify: "no" })).toEqual([
			`field "caCert": ${reason}`,
			`field "tlsServerName": ${reason}`,
		]);
		const { cert } = await createCa();
		expect(warningsOf({ url: "ssl://h", caCert: cert, tlsServerName: "x", alpn: '["mqtt"]' })).toEqual([]);
	});

	test("a name that is not known", () => {
		expect(warningsOf({ clenSession: "true" })).toEqual([
			'unknown field "clenSession" is ignored, the nearest known name is "cleanSession"',
		]);
	});

	test("nothing where nothing is wrong, and not about Dapr's own names", () => {
		expect(warningsOf({ direction: "input", route: "x" })).toEqual([]);
	});
});
