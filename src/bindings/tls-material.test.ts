import "reflect-metadata";
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, webcrypto } from "node:crypto";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as x509 from "@peculiar/x509";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type CertificateAuthority, createCa, type KeyPairPem } from "../../test/support/certificates.js";
import { Problems } from "./problems.js";
import { isReadableByAll, loadTlsMaterial, type TlsSources } from "./tls-material.js";

const DAY_MS = 24 * 60 * 60 * 1_000;
let folder: string;
let ca: CertificateAuthority;
let pair: KeyPairPem;
let other: KeyPairPem;
let encryptedKey: string;

beforeAll(async () => {
	folder = mkdtempSync(join(tmpdir(), "tls-material-"));
	ca = await createCa();
	pair = await ca.issue();
	other = await ca.issue();
	encryptedKey = createPrivateKey(pair.key)
		.export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "sesame" })
		.toString();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, text: string): string {
	const path = join(folder, name);
	writeFileSync(path, text);
	return path;
}

function load(sources: TlsSources, now = Date.now()) {
	const problems = new Problems();
	const material = loadTlsMaterial(sources, problems, now);
	return { material, problems: problems.all.map(({ field, reason }) => `${field} ${reason}`) };
}

const base64 = (text: string) => Buffer.from(text).toString("base64");

describe("TLS material", () => {
	test("is taken as PEM, with \\n spelled out, as base64 of PEM and from a file", () => {
		const forms = [
			ca.cert,
			`\n  ${ca.cert}\n`,
			ca.cert.replaceAll("\n", "\\n"),
			ca.cert.replaceAll("\n", "\\r\\n"),
			base64(ca.cert),
			base64(ca.cert).replaceAll(/(.{64})/g, "$1\n"),
			`file:${file("ca.pem", ca.cert)}`,
			` file: ${file("ca.pem", ca.cert)}\n`,
		];
		for (const caCert of forms) {
			expect(load({ caCert })).toEqual({ material: { ca: ca.cert }, problems: [] });
		}
	});

	test("of a client is its certificates and its key", () => {
		const clientCert = `Subject: somebody\n${pair.cert}${ca.cert}`;
		expect(load({ clientCert, clientKey: pair.key })).toEqual({
			material: { cert: `${pair.cert}${ca.cert}`, key: pair.key.trim() },
			problems: [],
		});
	});

	test("with an encrypted key is taken with its passphrase", () => {
		const sources = { clientCert: pair.cert, clientKey: encryptedKey, clientKeyPassphrase: "sesame" };
		expect(load(sources)).toMatchObject({ material: { passphrase: "sesame" }, problems: [] });
	});

	test("with an encrypted key of the old form is taken too", () => {
		const old = createPrivateKey(pair.key).export({
			type: "sec1",
			format: "pem",
			cipher: "aes-128-cbc",
			passphrase: "x",
		});
		const sources = { clientCert: pair.cert, clientKey: old.toString() };
		expect(load({ ...sources, clientKeyPassphrase: "x" }).problems).toEqual([]);
		expect(load(sources).problems).toEqual(["clientKey is encrypted, and clientKeyPassphrase is missing"]);
	});

	test("is nothing where nothing is given", () => {
		expect(load({})).toEqual({ material: {}, problems: [] });
	});
});

describe("unusable TLS material is named with its reason", () => {
	test.each<[string, () => TlsSources, string]>([
		["text", () => ({ caCert: "canary" }), "caCert is not PEM: expected PEM, base64 of PEM, or file:PATH"],
		[
			"base64 of text",
			() => ({ caCert: base64("canary") }),
			"caCert is not PEM: expected PEM, base64 of PEM, or file:PATH",
		],
		["a key as caCert", () => ({ caCert: pair.key }), "caCert holds no certificate"],
		[
			"a certificate as clientKey",
			() => ({ clientCert: pair.cert, clientKey: pair.cert }),
			"clientKey holds no private key",
		],
		["a cut certificate", () => ({ caCert: ca.cert.slice(0, 200) }), "caCert holds no certificate"],
		[
			"a damaged certificate",
			() => ({ caCert: ca.cert + ca.cert.replace(/\n[^\n]{10}/, "\nAAAAAAAAAA") }),
			"caCert certificate 2 of 2 in it is damaged",
		],
		[
			"a damaged key",
			() => ({ clientCert: pair.cert, clientKey: pair.key.replace(/\n[^\n]{10}/, "\nAAAAAAAAAA") }),
			"clientKey is a damaged private key",
		],
		[
			"a key of another certificate",
			() => ({ clientCert: pair.cert, clientKey: other.key }),
			"clientKey does not match clientCert",
		],
		["a certificate without key", () => ({ clientCert: pair.cert }), "clientCert needs clientKey, which is missing"],
		["a key without certificate", () => ({ clientKey: pair.key }), "clientKey needs clientCert, which is missing"],
		[
			"an encrypted key without passphrase",
			() => ({ clientCert: pair.cert, clientKey: encryptedKey }),
			"clientKey is encrypted, and clientKeyPassphrase is missing",
		],
		[
			"an encrypted key with a wrong passphrase",
			() => ({ clientCert: pair.cert, clientKey: encryptedKey, clientKeyPassphrase: "canary" }),
			"clientKey cannot be opened with clientKeyPassphrase",
		],
	])("%s", (_what, sources, problem) => {
		expect(load(sources()).problems).toEqual([problem]);
	});

	test("a certificate that has expired, or is not valid yet", async () => {
		const notBefore = new Date("2020-01-01T00:00:00Z");
		const notAfter = new Date("2021-01-01T00:00:00Z");
		const { cert, key } = await ca.issue({ notBefore, notAfter });
		const client = { clientCert: cert, clientKey: key };
		expect(load(client).problems).toEqual(["clientCert expired on 2021-01-01T00:00:00.000Z"]);
		expect(load(client, notBefore.getTime() - DAY_MS).problems).toEqual([
			"clientCert is not valid before 2020-01-01T00:00:00.000Z (or this machine's clock is wrong: it says 2019-12-31T00:00:00.000Z)",
		]);
		expect(load(client, notBefore.getTime() + DAY_MS).problems).toEqual([]);
		expect(load({ caCert: cert }).problems).toEqual(["caCert expired on 2021-01-01T00:00:00.000Z"]);
		expect(load({ caCert: `${cert}${ca.cert}` }).problems).toEqual([]);
	});

	test("a file that is not there, is a folder, is no PEM or is too large", () => {
		const missing = join(folder, "missing.pem");
		expect(load({ caCert: `file:${missing}` }).problems).toEqual([
			`caCert file "${missing}" cannot be read: ENOENT: no such file or directory`,
		]);
		expect(load({ caCert: `file:${folder}` }).problems).toEqual([
			`caCert file "${folder}" cannot be read: it is not a regular file`,
		]);
		const text = file("text.pem", "canary");
		expect(load({ caCert: `file:${text}` }).problems).toEqual([`caCert file "${text}" is not PEM`]);
		const large = file("large.pem", `${ca.cert}${" ".repeat(1_048_576)}`);
		expect(load({ caCert: `file:${large}` }).problems).toEqual([`caCert file "${large}" is larger than 1 MiB`]);
	});

	test("a key pasted behind file: does not come back in the message", () => {
		const [problem] = load({ clientCert: pair.cert, clientKey: `file:${pair.key}` }).problems;
		expect(problem).toMatch(/^clientKey file cannot be read: /);
		expect(problem).not.toContain("BEGIN");
	});

	test("a key that TLS itself finds too weak", async () => {
		const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 512 });
		const weak = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
		const cert = await selfSignedBy(privateKey);
		expect(load({ clientCert: cert, clientKey: weak }).problems).toEqual([
			"clientCert cannot be used for TLS: ee key too small",
		]);
	});
});

async function selfSignedBy(key: KeyObject): Promise<string> {
	const algorithm = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
	const pkcs8 = key.export({ type: "pkcs8", format: "der" });
	const spki = createPublicKey(key).export({ type: "spki", format: "der" });
	const certificate = await x509.X509CertificateGenerator.createSelfSigned({
		serialNumber: "01",
		name: "CN=weak",
		notBefore: new Date(Date.now() - DAY_MS),
		notAfter: new Date(Date.now() + DAY_MS),
		signingAlgorithm: algorithm,
		keys: {
			privateKey: await webcrypto.subtle.importKey("pkcs8", pkcs8, algorithm, true, ["sign"]),
			publicKey: await webcrypto.subtle.importKey("spki", spki, algorithm, true, ["verify"]),
		},
	});
	return certificate.toString("pem");
}

test("a key file that everybody may read is noticed", () => {
	const path = file("open.key", pair.key);
	chmodSync(path, 0o644);
	expect(isReadableByAll(`file:${path}`)).toBe(process.platform !== "win32");
	chmodSync(path, 0o640);
	expect(isReadableByAll(`file:${path}`)).toBe(false);
	expect(isReadableByAll(pair.key)).toBe(false);
	expect(isReadableByAll("file:/no/such/file")).toBe(false);
});
