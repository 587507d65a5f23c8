import { createPrivateKey, X509Certificate } from "node:crypto";
import { expect, test } from "vitest";
import { createCa, createSelfSigned } from "./certificates.js";

test("an issued certificate is signed by its authority, names its hosts and fits its key", async () => {
	const ca = await createCa();
	const { cert, key } = await ca.issue({ commonName: "broker", dnsNames: ["broker.test"], ipAddresses: ["127.0.0.1"] });
	const certificate = new X509Certificate(cert);
	expect(certificate.verify(new X509Certificate(ca.cert).publicKey)).toBe(true);
	expect(certificate.checkHost("broker.test")).toBe("broker.test");
	expect(certificate.checkIP("127.0.0.1")).toBe("127.0.0.1");
	expect(certificate.checkPrivateKey(createPrivateKey(key))).toBe(true);
});

test("a self-signed certificate is its own issuer", async () => {
	const certificate = new X509Certificate((await createSelfSigned({ dnsNames: ["a.test"] })).cert);
	expect(certificate.verify(certificate.publicKey)).toBe(true);
});
