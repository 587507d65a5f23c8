import { connect, createServer as createTcpServer, type Server, type Socket } from "node:net";
import { createServer, DEFAULT_CIPHERS, type TLSSocket, type TlsOptions } from "node:tls";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import {
	type CertificateAuthority,
	createCa,
	createSelfSigned,
	type KeyPairPem,
} from "../../test/support/certificates.js";
import { dialError, dialRecorded, listen } from "../../test/support/connection-recorder.js";
import { eventually } from "../../test/support/eventually.js";
import type { TlsSettings } from "./connection.js";

const dayMs = 24 * 60 * 60 * 1_000;
let ca: CertificateAuthority;
let forLocalhost: KeyPairPem;
const servers: Server[] = [];
const sockets = new Set<Socket>();

beforeAll(async () => {
	ca = await createCa();
	forLocalhost = await ca.issue({ dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"] });
});

afterEach(() => {
	for (const socket of sockets) socket.destroy();
	for (const server of servers.splice(0)) server.close();
	sockets.clear();
});

async function serve(server: Server): Promise<number> {
	servers.push(server);
	server.on("connection", (socket) => sockets.add(socket));
	return listen(server);
}

/** A TLS server that greets, and what it saw of its clients. */
async function startTls(
	options: TlsOptions,
	onSecure: (socket: TLSSocket) => void = (socket) => socket.write("hello"),
) {
	const server = createServer(options, (socket) => {
		socket.on("error", () => {});
		onSecure(socket);
	});
	server.on("tlsClientError", () => {});
	return serve(server);
}

function trusting(settings: Partial<TlsSettings> = {}): { tls: TlsSettings } {
	return { tls: { insecureSkipVerify: false, ca: ca.cert, ...settings } };
}

test("bytes go both ways over TLS, and the broker is asked for by name", async () => {
	const seen: unknown[] = [];
	const port = await startTls({ ...forLocalhost, ALPNProtocols: ["mqtt"] }, (socket) => {
		seen.push(socket.servername, socket.alpnProtocol, socket.getProtocol());
		socket.pipe(socket);
	});
	const { connection, recorder } = await dialRecorded(`ssl://localhost:${port}`, trusting({ alpn: ["mqtt"] }));
	connection.write(Buffer.from("ping"));
	await eventually(() => expect(recorder.text).toBe("ping"));
	expect(seen).toEqual(["localhost", "mqtt", "TLSv1.3"]);
	await connection.end(1_000);
	expect(recorder.causes[0]?.reason).toBe("local");
});

test("an IP address is not sent as a server name, and the certificate must name it", async () => {
	const names: unknown[] = [];
	const port = await startTls(forLocalhost, (socket) => names.push(socket.servername));
	const { connection } = await dialRecorded(`ssl://127.0.0.1:${port}`, trusting());
	await eventually(() => expect(names).toEqual([false]));
	await connection.end(0);
});

test("tlsServerName replaces the host in SNI and in the check of the certificate", async () => {
	const other = await ca.issue({ dnsNames: ["broker.test"] });
	const names: unknown[] = [];
	const port = await startTls(other, (socket) => names.push(socket.servername));
	const { connection } = await dialRecorded(`ssl://127.0.0.1:${port}`, trusting({ serverName: "broker.test" }));
	await eventually(() => expect(names).toEqual(["broker.test"]));
	await connection.end(0);
	expect((await dialError(`ssl://127.0.0.1:${port}`, trusting({ serverName: "127.0.0.1" }))).reason).toBe("tls");
});

describe("a broker that cannot prove who it is gets no connection, and the reason is named:", () => {
	test.each([
		[
			"expired",
			() =>
				ca.issue({
					dnsNames: ["localhost"],
					notBefore: new Date(Date.now() - 9 * dayMs),
					notAfter: new Date(Date.now() - dayMs),
				}),
			/certificate has expired/,
		],
		[
			"not yet valid",
			() =>
				ca.issue({
					dnsNames: ["localhost"],
					notBefore: new Date(Date.now() + dayMs),
					notAfter: new Date(Date.now() + 9 * dayMs),
				}),
			/certificate is not valid yet/,
		],
		[
			"wrong host",
			() => ca.issue({ dnsNames: ["other.test"] }),
			/certificate is for another host: .*localhost.*other\.test/,
		],
		[
			"another authority",
			async () => (await createCa("Other CA")).issue({ dnsNames: ["localhost"] }),
			/comes from a certificate authority that is not trusted here/,
		],
		[
			"self-signed",
			() => createSelfSigned({ dnsNames: ["localhost"] }),
			/is self-signed and not among the trusted ones/,
		],
	])("%s", async (_, issue, message) => {
		const port = await startTls(await issue());
		const error = await dialError(`ssl://localhost:${port}`, trusting());
		expect(error).toMatchObject({
			reason: "tls",
			url: `tls://localhost:${port}`,
			message: expect.stringMatching(message),
		});
		const { connection, recorder } = await dialRecorded(`ssl://localhost:${port}`, {
			tls: { insecureSkipVerify: true },
		});
		await eventually(() => expect(recorder.text).toBe("hello"));
		await connection.end(0);
	});

	test("without a ca only the system's roots are trusted", async () => {
		const port = await startTls(forLocalhost);
		expect(await dialError(`ssl://localhost:${port}`)).toMatchObject({
			reason: "tls",
			message: expect.stringMatching(/not trusted here/),
		});
	});
});

describe("a broker that wants a client certificate", () => {
	const limits = [["TLSv1.2"], ["TLSv1.3"]] as const;

	test.each(limits)("with %s ends the connection of a client without one, with reason tls", async (version) => {
		const port = await startTls({
			...forLocalhost,
			ca: ca.cert,
			requestCert: true,
			rejectUnauthorized: true,
			minVersion: version,
			maxVersion: version,
		});
		// In TLS 1.3 the client is done before the server has looked at its certificate.
		const cause = await dialRecorded(`ssl://localhost:${port}`, trusting()).then(
			({ recorder }) => recorder.cause(),
			(error) => error,
		);
		expect(cause).toMatchObject({ reason: "tls", message: expect.stringMatching(/client certificate/) });
	});

	test("takes the one it trusts", async () => {
		const port = await startTls({ ...forLocalhost, ca: ca.cert, requestCert: true, rejectUnauthorized: true });
		const { connection, recorder } = await dialRecorded(
			`ssl://localhost:${port}`,
			trusting(await ca.issue({ commonName: "device" })),
		);
		await eventually(() => expect(recorder.text).toBe("hello"));
		await connection.end(0);
	});
});

describe("a peer that is no TLS broker of today is named as such:", () => {
	test("plain MQTT on the port", async () => {
		const port = await serve(createTcpServer((socket) => socket.on("error", () => {}).end("\x20\x02\x00\x00")));
		expect(await dialError(`ssl://127.0.0.1:${port}`, trusting())).toMatchObject({
			reason: "closed",
			message: expect.stringMatching(/speaks no TLS on this port/),
		});
	});

	test("HTTP on the port", async () => {
		const port = await serve(
			createTcpServer((socket) => socket.on("error", () => {}).end("HTTP/1.1 400 Bad Request\r\n\r\n")),
		);
		expect(await dialError(`ssl://127.0.0.1:${port}`, trusting())).toMatchObject({
			reason: "tls",
			message: expect.stringMatching(/speaks no TLS on this port/),
		});
	});

	test("a peer that hangs up in the handshake", async () => {
		const port = await serve(
			createTcpServer((socket) => socket.on("error", () => {}).once("data", () => socket.end())),
		);
		expect(await dialError(`ssl://127.0.0.1:${port}`, trusting())).toMatchObject({
			reason: "closed",
			message: expect.stringMatching(/closed the connection in the TLS handshake/),
		});
	});

	test("TLS 1.1 at most", async () => {
		const port = await startTls({
			...forLocalhost,
			minVersion: "TLSv1",
			maxVersion: "TLSv1.1",
			ciphers: `${DEFAULT_CIPHERS}:@SECLEVEL=0`,
		});
		expect(await dialError(`ssl://localhost:${port}`, trusting())).toMatchObject({
			reason: "tls",
			message: expect.stringMatching(/no TLS version from 1.2 on/),
		});
	});

	test("no ALPN protocol of ours", async () => {
		const port = await startTls({ ...forLocalhost, ALPNProtocols: ["http/1.1"] });
		expect(await dialError(`ssl://localhost:${port}`, trusting({ alpn: ["mqtt"] }))).toMatchObject({
			reason: "tls",
			message: expect.stringMatching(/ALPN/),
		});
	});

	test("a peer that stays silent in the handshake: the time limit covers it", async () => {
		const port = await serve(createTcpServer(() => {}));
		const error = await dialError(`ssl://127.0.0.1:${port}`, { ...trusting(), timeoutMs: 50 });
		expect(error).toMatchObject({
			reason: "timeout",
			message: `cannot connect to tls://127.0.0.1:${port}: no answer within 50 ms (TLS handshake)`,
		});
	});
});

test("settings that TLS cannot use are an error of reason tls that names them as ours", async () => {
	const error = await dialError("ssl://127.0.0.1:1", trusting({ cert: forLocalhost.cert, key: "no key" }));
	expect(error).toMatchObject({
		reason: "tls",
		message: expect.stringMatching(/our certificate, key or CA cannot be used/),
	});
});

test("a TLS connection that ends in the middle of a record is closed, and nothing of that record is handed on", async () => {
	const port = await startTls(forLocalhost, (socket) => socket.write(Buffer.alloc(16_000)));
	let isHandshakeOver = false;
	const proxy = await serve(
		createTcpServer((client) => {
			const upstream = connect(port, "127.0.0.1");
			sockets.add(upstream);
			client.on("error", () => {}).pipe(upstream);
			upstream
				.on("error", () => {})
				.on("data", (chunk) => {
					isHandshakeOver ||= chunk.length > 10_000;
					if (isHandshakeOver) client.end(chunk.subarray(0, 10_000));
					else client.write(chunk);
				});
		}),
	);
	const { recorder } = await dialRecorded(`ssl://localhost:${proxy}`, trusting());
	expect((await recorder.cause()).reason).toMatch(/^(closed|tls)$/);
	expect(recorder.chunks).toEqual([]);
});
