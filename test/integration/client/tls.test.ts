import { afterAll, beforeAll, expect, test } from "vitest";
import { MqttRefusedError } from "../../../src/errors.js";
import { type CertificateAuthority, createCa, type KeyPairPem } from "../../support/certificates.js";
import { eventually } from "../../support/eventually.js";
import { describeWith } from "../../support/left-out.js";
import { type Mosquitto, startMosquitto } from "../../support/mosquitto.js";
import { ClientUnderTest, delayOf } from "./client-under-test.js";

describeWith("mosquitto", "over TLS, with client certificates and passwords", () => {
	let ca: CertificateAuthority;
	let own: KeyPairPem;
	let mosquitto: Mosquitto;

	beforeAll(async () => {
		ca = await createCa();
		own = await ca.issue({ commonName: "client" });
		const server = await ca.issue({ ipAddresses: ["127.0.0.1"] });
		mosquitto = await startMosquitto({ tls: { ...server, clientCa: ca.cert }, users: { üser: "pass:wörd" } });
	});
	afterAll(() => mosquitto?.[Symbol.asyncDispose]());

	const user = { username: "üser", password: "pass:wörd" };
	const tls = () => ({ ca: ca.cert, cert: own.cert, key: own.key, insecureSkipVerify: false });

	test("[MQTT-7.1.2-1] [MQTT-3.1.3-11] messages go both ways", async () => {
		await using it = new ClientUnderTest(mosquitto.tlsUrl!, {
			...user,
			tls: tls(),
			onDelivery: (delivery) => delivery.ack(),
		});
		it.client.subscribe();
		await it.client.connect();
		await it.reported("subscribed");
		const payload = Buffer.alloc(1_000_000, 7);
		for (let count = 0; count < 5; count++) expect(await it.publish(payload, { topic: "a/b" })).toBe("ok");
		await it.delivered(5);
		for (const { packet } of it.deliveries) expect(payload.equals(packet.payload)).toBe(true);
		await eventually(() => expect(it.client.status().outstanding).toBe(0));
		await it.client.close();
	});

	test.each([
		["without a client certificate", () => ({ ca: ca.cert, insecureSkipVerify: false })],
		["without the authority", () => ({ ...tls(), ca: undefined })],
		["for another host", () => ({ ...tls(), serverName: "other.example" })],
	])(
		"%s there is no connection; that will not change by itself, so the next attempt waits for long",
		async (_, settings) => {
			await using it = new ClientUnderTest(mosquitto.tlsUrl!, { ...user, tls: settings() });
			it.client.connect().catch(() => {});
			const report = await it.reported("connect-refused");
			expect(report.error).toMatchObject({ reason: "tls" });
			expect(delayOf(report)).toBeGreaterThanOrEqual(2_500);
			expect(it.states).not.toContain("online");
		},
	);

	test("a wrong password is refused by the broker and not told to anybody", async () => {
		await using it = new ClientUnderTest(mosquitto.tlsUrl!, { ...user, password: "canary", tls: tls() });
		it.client.connect().catch(() => {});
		const { error } = await it.reported("connect-refused");
		expect(error).toBeInstanceOf(MqttRefusedError);
		expect(error).toMatchObject({ returnCode: 5 });
		expect(JSON.stringify(it.reports)).not.toContain("canary");
	});

	test("a certificate that is not verified, by wish, is worth a warning each time", async () => {
		await using it = new ClientUnderTest(mosquitto.tlsUrl!, {
			...user,
			tls: { ...tls(), ca: undefined, insecureSkipVerify: true },
		});
		await it.client.connect();
		expect(await it.reported("tls-not-verified")).toMatchObject({ level: "warn" });
	});
});
