import "reflect-metadata";
import { KeyObject, randomBytes, webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const dayMs = 24 * 60 * 60 * 1_000;

/** A certificate and its private key (PKCS #8), both PEM. */
export interface KeyPairPem {
	readonly cert: string;
	readonly key: string;
}

/** What a test certificate says. Without times it is valid from yesterday until tomorrow. */
export interface CertificateRequest {
	readonly commonName?: string;
	readonly dnsNames?: readonly string[];
	readonly ipAddresses?: readonly string[];
	readonly notBefore?: Date;
	readonly notAfter?: Date;
}

/** A certificate authority that lives as long as the test. Its own `cert` is what `ca` settings take. */
export interface CertificateAuthority extends KeyPairPem {
	/** Issues a certificate that serves both a server and a client. */
	issue(request?: CertificateRequest): Promise<KeyPairPem>;
	/** Issues the certificate of an authority below it. */
	issueAuthority(commonName: string): Promise<CertificateAuthority>;
}

function validity(request: CertificateRequest) {
	return {
		notBefore: request.notBefore ?? new Date(Date.now() - dayMs),
		notAfter: request.notAfter ?? new Date(Date.now() + dayMs),
	};
}

function extensions(request: CertificateRequest): x509.Extension[] {
	const names = [
		...(request.dnsNames ?? []).map((value) => ({ type: "dns" as const, value })),
		...(request.ipAddresses ?? []).map((value) => ({ type: "ip" as const, value })),
	];
	return [
		new x509.BasicConstraintsExtension(false, undefined, true),
		new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
		...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : []),
	];
}

// A leading zero bit keeps the serial number a positive integer.
function serialNumber(): string {
	const bytes = randomBytes(16);
	bytes[0] = (bytes[0]! & 0x7f) | 0x40;
	return bytes.toString("hex");
}

function generateKeys() {
	return webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
}

function pem(certificate: x509.X509Certificate, privateKey: webcrypto.CryptoKey): KeyPairPem {
	const key = KeyObject.from(privateKey).export({ type: "pkcs8", format: "pem" });
	return { cert: `${certificate.toString("pem")}\n`, key: key.toString() };
}

/** Makes a new authority with a key of its own. */
export async function createCa(commonName = "Test CA"): Promise<CertificateAuthority> {
	const keys = await generateKeys();
	const name = `CN=${commonName}`;
	const certificate = await x509.X509CertificateGenerator.createSelfSigned({
		serialNumber: serialNumber(),
		name,
		...validity({}),
		signingAlgorithm: algorithm,
		keys,
		extensions: authorityExtensions(),
	});
	return authority(keys, name, pem(certificate, keys.privateKey));
}

function authorityExtensions(): x509.Extension[] {
	return [
		new x509.BasicConstraintsExtension(true, undefined, true),
		new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
	];
}

function authority(keys: webcrypto.CryptoKeyPair, name: string, pair: KeyPairPem): CertificateAuthority {
	return {
		...pair,
		async issueAuthority(commonName) {
			const own = await generateKeys();
			const subject = `CN=${commonName}`;
			const issued = await x509.X509CertificateGenerator.create({
				serialNumber: serialNumber(),
				issuer: name,
				subject,
				...validity({}),
				signingAlgorithm: algorithm,
				signingKey: keys.privateKey,
				publicKey: own.publicKey,
				extensions: authorityExtensions(),
			});
			return authority(own, subject, pem(issued, own.privateKey));
		},
		async issue(request = {}) {
			const own = await generateKeys();
			const issued = await x509.X509CertificateGenerator.create({
				serialNumber: serialNumber(),
				issuer: name,
				subject: `CN=${request.commonName ?? "localhost"}`,
				...validity(request),
				signingAlgorithm: algorithm,
				signingKey: keys.privateKey,
				publicKey: own.publicKey,
				extensions: extensions(request),
			});
			return pem(issued, own.privateKey);
		},
	};
}

/** A certificate that vouches for itself, as brokers come with out of the box. */
export async function createSelfSigned(request: CertificateRequest = {}): Promise<KeyPairPem> {
	const keys = await generateKeys();
	const certificate = await x509.X509CertificateGenerator.createSelfSigned({
		serialNumber: serialNumber(),
		name: `CN=${request.commonName ?? "localhost"}`,
		...validity(request),
		signingAlgorithm: algorithm,
		keys,
		extensions: extensions(request),
	});
	return pem(certificate, keys.privateKey);
}
