import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { createSecureContext } from "node:tls";
import type { Problems } from "./problems.js";

/** No chain of certificates is longer; a larger file is not one. */
const MAX_FILE_BYTES = 1_048_576;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;
const PRIVATE_KEY = /-----BEGIN (?:(?:RSA|EC|DSA|ENCRYPTED) )?PRIVATE KEY-----/;
const ENCRYPTED = /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m;

/** TLS material as it is written in a component or in options: PEM, with `\n` spelled out, base64 of PEM, or `file:PATH`. */
export interface TlsSources {
	readonly caCert?: string | undefined;
	readonly clientCert?: string | undefined;
	readonly clientKey?: string | undefined;
	readonly clientKeyPassphrase?: string | undefined;
}

/** TLS material that was tried: PEM. */
export interface TlsMaterial {
	readonly ca?: string;
	readonly cert?: string;
	readonly key?: string;
	readonly passphrase?: string;
}

/**
 * Loads TLS material and makes sure that it can be used at `now` (milliseconds since 1970). What can't goes into
 * `problems`, under the field's name and without any of its content. Reads files only for `file:`.
 */
export function loadTlsMaterial(sources: TlsSources, problems: Problems, now: number): TlsMaterial {
	const earlier = problems.all.length;
	const ca = loadCertificates("caCert", sources.caCert, problems);
	if (ca) checkAuthorities(ca.certificates, problems, now);
	const cert = loadCertificates("clientCert", sources.clientCert, problems);
	if (cert) checkChain(cert.certificates, problems, now);
	const key = loadKey(sources.clientKey, sources.clientKeyPassphrase, problems);
	checkPair(cert?.certificates[0], key?.object, problems);
	const material: TlsMaterial = {
		...(ca && { ca: ca.pem }),
		...(cert && { cert: cert.pem }),
		...(key && { key: key.pem }),
		...(key?.isEncrypted && { passphrase: sources.clientKeyPassphrase! }),
	};
	if (problems.all.length === earlier) checkContext(material, problems);
	return material;
}

/** Whether the source names a file. */
export function namesFile(source: string): boolean {
	return filePath(source) !== undefined;
}

/** Whether the source names a file that every user of the machine may read. False where there are no such modes. */
export function isReadableByAll(source: string): boolean {
	const path = filePath(source);
	if (path === undefined || process.platform === "win32") return false;
	const status = statSync(path, { throwIfNoEntry: false });
	return status !== undefined && (status.mode & 0o004) !== 0;
}

interface Certificates {
	readonly pem: string;
	readonly certificates: readonly X509Certificate[];
}

function loadCertificates(field: string, source: string | undefined, problems: Problems): Certificates | undefined {
	const pem = loadPem(field, source, problems);
	if (pem === undefined) return undefined;
	const blocks = pem.match(CERTIFICATE) ?? [];
	if (blocks.length === 0) {
		problems.add(field, "holds no certificate");
		return undefined;
	}
	const certificates: X509Certificate[] = [];
	for (const block of blocks) {
		try {
			certificates.push(new X509Certificate(block));
		} catch {
			problems.add(field, `certificate ${certificates.length + 1} of ${blocks.length} in it is damaged`);
			return undefined;
		}
	}
	// Only what was looked at is handed on.
	return { pem: `${blocks.join("\n")}\n`, certificates };
}

interface Key {
	readonly pem: string;
	readonly object: KeyObject;
	readonly isEncrypted: boolean;
}

function loadKey(source: string | undefined, passphrase: string | undefined, problems: Problems): Key | undefined {
	const field = "clientKey";
	const pem = loadPem(field, source, problems);
	if (pem === undefined) return undefined;
	if (!PRIVATE_KEY.test(pem)) {
		problems.add(field, "holds no private key");
		return undefined;
	}
	const isEncrypted = ENCRYPTED.test(pem);
	if (isEncrypted && passphrase === undefined) {
		if (!problems.concerns("clientKeyPassphrase"))
			problems.add(field, "is encrypted, and clientKeyPassphrase is missing");
		return undefined;
	}
	try {
		return {
			pem,
			object: createPrivateKey({ key: pem, ...(isEncrypted && { passphrase: passphrase! }) }),
			isEncrypted,
		};
	} catch {
		problems.add(field, isEncrypted ? "cannot be opened with clientKeyPassphrase" : "is a damaged private key");
		return undefined;
	}
}

/** The PEM text behind any of its four forms. */
function loadPem(field: string, source: string | undefined, problems: Problems): string | undefined {
	if (source === undefined) return undefined;
	const path = filePath(source);
	if (path !== undefined) return readPemFile(field, path, problems);
	const pem = inlinePem(source.trim());
	if (pem === undefined) problems.add(field, "is not PEM: expected PEM, base64 of PEM, or file:PATH");
	return pem;
}

function filePath(source: string): string | undefined {
	const text = source.trim();
	return text.startsWith("file:") ? text.slice("file:".length).trim() : undefined;
}

function inlinePem(text: string): string | undefined {
	if (isPem(text)) return text.replaceAll(/(?:\\r)?\\n/g, "\n");
	if (!/^[A-Za-z0-9+/\s]+={0,2}$/.test(text)) return undefined;
	const decoded = Buffer.from(text, "base64").toString("latin1");
	return isPem(decoded) ? decoded : undefined;
}

function readPemFile(field: string, path: string, problems: Problems): string | undefined {
	// A key pasted behind `file:` must not come back in the message.
	const shown = isPem(path) || path.length > 4_096 ? "" : ` ${JSON.stringify(path)}`;
	try {
		const status = statSync(path);
		if (!status.isFile()) problems.add(field, `file${shown} cannot be read: it is not a regular file`);
		else if (status.size > MAX_FILE_BYTES) problems.add(field, `file${shown} is larger than 1 MiB`);
		else {
			const text = readFileSync(path, "latin1");
			if (isPem(text)) return text;
			problems.add(field, `file${shown} is not PEM`);
		}
	} catch (error) {
		// Node puts the path last: `ENOENT: no such file or directory, stat '…'`.
		problems.add(field, `file${shown} cannot be read: ${reasonOf(error).split(",", 1)[0]}`);
	}
	return undefined;
}

function checkAuthorities(certificates: readonly X509Certificate[], problems: Problems, now: number): void {
	const reasons = certificates.map((certificate) => whyNotValid(certificate, now));
	// Bundles hold authorities that have retired; one that is valid is enough.
	if (reasons.every((reason) => reason !== undefined)) problems.add("caCert", reasons[0]!);
}

function checkChain(certificates: readonly X509Certificate[], problems: Problems, now: number): void {
	const reason = certificates.map((certificate) => whyNotValid(certificate, now)).find((one) => one !== undefined);
	if (reason !== undefined) problems.add("clientCert", reason);
}

function whyNotValid(certificate: X509Certificate, now: number): string | undefined {
	const from = Date.parse(certificate.validFrom);
	const until = Date.parse(certificate.validTo);
	if (now > until) return `expired on ${new Date(until).toISOString()}`;
	if (now < from) {
		return `is not valid before ${new Date(from).toISOString()} (or this machine's clock is wrong: it says ${new Date(now).toISOString()})`;
	}
	return undefined;
}

function checkPair(certificate: X509Certificate | undefined, key: KeyObject | undefined, problems: Problems): void {
	if (certificate && key) {
		if (!certificate.checkPrivateKey(key)) problems.add("clientKey", "does not match clientCert");
	} else if (certificate && !problems.concerns("clientKey")) {
		problems.add("clientCert", "needs clientKey, which is missing");
	} else if (key && !problems.concerns("clientCert")) {
		problems.add("clientKey", "needs clientCert, which is missing");
	}
}

/** What only TLS itself refuses, such as keys that are too short. */
function checkContext(material: TlsMaterial, problems: Problems): void {
	try {
		// An empty list keeps Node from loading the system's roots for nothing.
		createSecureContext({ ca: [], ...material });
	} catch (error) {
		// OpenSSL puts the words last: `error:0A00018F:SSL routines::ee key too small`.
		const reason = reasonOf(error).split(":").at(-1)!.trim();
		problems.add(material.cert === undefined ? "caCert" : "clientCert", `cannot be used for TLS: ${reason}`);
	}
}

function isPem(text: string): boolean {
	return text.includes("-----BEGIN ");
}

function reasonOf(error: unknown): string {
	return error instanceof Error ? error.message : "unknown error";
}
