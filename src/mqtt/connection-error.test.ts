import { expect, test } from "vitest";
import { MqttConnectionError } from "../errors.js";
import { parseBrokerUrl } from "./broker-url.js";
import { connectionError } from "./connection-error.js";

const url = parseBrokerUrl("ssl://canary-user:canary-password@host");

function nodeError(fields: {
	code?: string;
	message?: string;
	reason?: string;
	syscall?: string;
	errors?: Error[];
}): Error {
	return Object.assign(new Error(fields.message ?? "words of the system"), fields);
}

test.each([
	["ECONNREFUSED", "TCP connection", "refused", /nothing listens there/],
	["ETIMEDOUT", "TCP connection", "timeout", /no answer/],
	["ETIMEDOUT", "open", "dead", /does not answer any more/],
	["EHOSTUNREACH", "TCP connection", "refused", /no route/],
	["EMFILE", "TCP connection", "refused", /too many open files/],
	["ECONNRESET", "open", "reset", /reset/],
	["EPIPE", "open", "reset", /reset/],
	["ECONNRESET", "TLS handshake", "closed", /in the TLS handshake/],
	["EPIPE", "TLS handshake", "closed", /in the TLS handshake/],
	["ECONNRESET", "WebSocket upgrade", "closed", /instead of the WebSocket upgrade/],
	["HPE_INVALID_CONSTANT", "WebSocket upgrade", "protocol", /no WebSocket on this port/],
	["WS_ERR_INVALID_OPCODE", "open", "protocol", /broke the WebSocket protocol/],
	["EWHATEVER", "TCP connection", "refused", /words of the system/],
	["EWHATEVER", "open", "reset", /words of the system/],
	["CERT_HAS_EXPIRED", "TLS handshake", "tls", /broker's certificate has expired/],
	["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "TLS handshake", "tls", /authority that is not trusted here/],
	["CERT_SIGNATURE_FAILURE", "TLS handshake", "tls", /not signed by the trusted authority of that name/],
	["ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED", "open", "tls", /wants a client certificate/],
	["ERR_SSL_TLSV1_ALERT_UNKNOWN_CA", "open", "tls", /does not trust the authority of our client certificate/],
	["ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_EXPIRED", "open", "tls", /our client certificate has expired/],
	["ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE", "open", "tls", /refused our client certificate/],
	["ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE", "TLS handshake", "tls", /refused the TLS handshake/],
	["ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC", "open", "tls", /TLS failed/],
] as const)("%s (%s) has the reason %s and says so in words", (code, step, reason, text) => {
	const cause = nodeError({ code });
	const error = connectionError(url, cause, step);
	expect(error).toMatchObject({ reason, url: "tls://host:8883", cause, message: expect.stringMatching(text) });
	const prefix = step === "open" ? "connection to tls://host:8883 lost: " : "cannot connect to tls://host:8883: ";
	expect(error.message.startsWith(prefix)).toBe(true);
	expect(error.message).not.toContain("canary");
});

test("a TLS error that only its message tells apart is told apart", () => {
	const error = nodeError({
		code: "EPROTO",
		message: "write EPROTO 00:error:0A00010B:SSL routines:ssl3_get_record:wrong version number:c",
	});
	expect(connectionError(url, error, "TLS handshake").message).toMatch(/speaks no TLS/);
});

test("any other failure of the name lookup is one of the name lookup", () => {
	expect(connectionError(url, nodeError({ code: "EAI_FAIL", syscall: "getaddrinfo" }), "name lookup").reason).toBe(
		"dns",
	);
});

test("of several addresses the last one's error is told", () => {
	const errors = [nodeError({ code: "ETIMEDOUT" }), nodeError({ code: "ECONNREFUSED" })];
	expect(connectionError(url, nodeError({ message: "", errors }), "TCP connection").reason).toBe("refused");
});

test("an error of ours passes unchanged", () => {
	const ours = new MqttConnectionError("ours", { url: url.href, reason: "timeout" });
	expect(connectionError(url, ours, "open")).toBe(ours);
});
