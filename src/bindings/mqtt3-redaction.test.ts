import { createPrivateKey } from "node:crypto";
import { inspect } from "node:util";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { createCa } from "../../test/support/certificates.js";
import { redact } from "./metadata.js";
import { MQTT3_FIELDS } from "./mqtt3-fields.js";
import { parseMqtt3Metadata } from "./mqtt3-metadata.js";
import { redactedSettings } from "./mqtt3-redaction.js";

const CANARY = "c4n4ry";
const canary = fc
	.tuple(fc.string({ maxLength: 8 }), fc.string({ maxLength: 8 }))
	.map(([before, after]) => `${before}${CANARY}${after}`);

/** Everything that might end in a log, a crash report or an answer of the metadata API. */
function renderings(value: unknown): string {
	const texts = [inspect(value, { depth: 20, showHidden: true }), JSON.stringify(value), String(value)];
	return [...texts, value instanceof Error ? value.stack : ""].join("\n");
}

function outcome(properties: Record<string, string>): unknown[] {
	try {
		const { settings, warnings } = parseMqtt3Metadata({ name: "orders", properties });
		return [settings, settings.brokers, settings.tls, redactedSettings(settings), warnings];
	} catch (error) {
		return [error];
	}
}

describe("P12: a secret is in no rendered form", () => {
	let cert: string;
	let key: string;
	beforeAll(async () => {
		({ cert, key } = await (await createCa()).issue());
	});

	test.each(["password", "username", "clientKey", "clientKeyPassphrase", "caCert", "clientCert"])(
		"of %s, right or wrong",
		(name) => {
			fc.assert(
				fc.property(canary, fc.constantFrom("tcp://h", "ssl://h", "tcp://u@h", "nonsense"), (secret, url) => {
					const properties = {
						url,
						topic: "a",
						consumerID: "me",
						[name]: secret,
						...(name === "password" && { username: "u" }),
					};
					for (const value of [...outcome(properties), redact(MQTT3_FIELDS, properties)]) {
						expect(renderings(value)).not.toContain(CANARY);
					}
				}),
			);
		},
	);

	test("of the user info in url, right or wrong", () => {
		const form = fc.constantFrom(
			(secret: string) => `tcp://alice:${secret}@h`,
			(secret: string) => `tcp://${secret}@h:99999`,
			(secret: string) => `ssl://alice:${secret}@h,ssl://bob:${secret}@i`,
			(secret: string) => `gopher://alice:${secret}@h`,
			(secret: string) => `tcp:/alice:${secret}@h`,
			(secret: string) => `alice:${secret}@h`,
			(secret: string) => `ws://alice:${encodeURIComponent(secret)}@h/mqtt?token=${CANARY}`,
		);
		fc.assert(
			fc.property(canary, form, (secret, write) => {
				const properties = { url: write(secret), topic: "a", consumerID: "me" };
				for (const value of [...outcome(properties), redact(MQTT3_FIELDS, properties)]) {
					expect(renderings(value)).not.toContain(CANARY);
				}
			}),
		);
	});

	test("of a misspelt field", () => {
		const properties = { url: "tcp://h", topic: "a", consumerID: "me", pasword: CANARY };
		for (const value of [...outcome(properties), redact(MQTT3_FIELDS, properties)]) {
			expect(renderings(value)).not.toContain(CANARY);
		}
	});

	test("of working TLS material", () => {
		const encrypted = createPrivateKey(key)
			.export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: CANARY })
			.toString();
		const properties = {
			url: "ssl://h",
			topic: "a",
			consumerID: "me",
			clientCert: cert,
			clientKey: encrypted,
			clientKeyPassphrase: CANARY,
			username: CANARY,
			password: CANARY,
			willTopic: "w",
			willPayload: CANARY,
		};
		const values = outcome(properties);
		expect(values).toHaveLength(5);
		for (const value of values) {
			expect(renderings(value)).not.toContain(CANARY);
			expect(renderings(value)).not.toContain("BEGIN");
		}
		expect(redactedSettings(parseMqtt3Metadata({ name: "orders", properties }).settings)).toMatchObject({
			brokers: [{ url: "tls://h:8883", username: "<redacted>", password: "<redacted>" }],
			tls: { cert: "<PEM>", key: "<redacted>", passphrase: "<redacted>", insecureSkipVerify: false },
			will: { topic: "w", qos: 0, retain: false, bytes: 6 },
		});
	});
});
