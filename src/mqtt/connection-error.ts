import { MqttConnectionError, type MqttConnectionReason } from "../errors.js";
import type { BrokerUrl } from "./broker-url.js";
import type { DialStep } from "./dial-attempt.js";

/** What Node's errors carry that says more than their message. */
interface NodeError extends Error {
	readonly code?: string;
	readonly syscall?: string;
	/** OpenSSL's words, or those of the host name check. */
	readonly reason?: string;
	/** One for each address, where several were tried. */
	readonly errors?: readonly NodeError[];
}

type Explanation = readonly [reason: MqttConnectionReason, text: string];

const CERTIFICATE: ReadonlyMap<string, string> = new Map([
	["CERT_HAS_EXPIRED", "has expired (or this machine's clock is wrong)"],
	["CERT_NOT_YET_VALID", "is not valid yet (or this machine's clock is wrong)"],
	["CERT_REVOKED", "was revoked"],
	["DEPTH_ZERO_SELF_SIGNED_CERT", "is self-signed and not among the trusted ones"],
	["SELF_SIGNED_CERT_IN_CHAIN", "comes from a certificate authority that is not trusted here"],
	["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "comes from a certificate authority that is not trusted here"],
	["UNABLE_TO_GET_ISSUER_CERT", "comes from a certificate authority that is not trusted here"],
	["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "comes from a certificate authority that is not trusted here"],
	["CERT_SIGNATURE_FAILURE", "is not signed by the trusted authority of that name (was that one made anew?)"],
	["INVALID_PURPOSE", "is not meant for a server"],
]);

/** OpenSSL's words change between versions; these parts of them have not. */
const HANDSHAKE: readonly (readonly [RegExp, string])[] = [
	[/wrong version number|packet length too long|record layer failure/, "the peer speaks no TLS on this port"],
	[/unsupported protocol|alert protocol version/, "the broker speaks no TLS version from 1.2 on"],
	[/certificate required/, "the broker wants a client certificate"],
	[/alert handshake failure/, "the broker refused the TLS handshake: no client certificate, or no cipher in common"],
	[/alert unknown ca/, "the broker does not trust the authority of our client certificate"],
	[/alert certificate expired/, "our client certificate has expired"],
	[
		/alert (bad|unsupported|no) certificate|alert certificate|alert access denied/,
		"the broker refused our client certificate",
	],
	[/no application protocol/, "the broker speaks none of our ALPN protocols"],
	[/unrecognized name/, "the broker does not know the server name that we asked for"],
];

const HUNG_UP =
	"the broker closed the connection in the TLS handshake: it is starting, speaks no TLS on this port, or wants another client certificate";

const NETWORK: ReadonlyMap<string, Explanation> = new Map([
	["ECONNREFUSED", ["refused", "connection refused; nothing listens there"]],
	["ENOTFOUND", ["dns", "the host name is not known"]],
	["EAI_AGAIN", ["dns", "the host name cannot be looked up at the moment"]],
	["ETIMEDOUT", ["timeout", "no answer"]],
	["EHOSTUNREACH", ["refused", "there is no route to the host"]],
	["ENETUNREACH", ["refused", "there is no route to the network"]],
	["EADDRNOTAVAIL", ["refused", "this machine has no free port or no address of that kind"]],
	["EMFILE", ["refused", "this process has too many open files"]],
	["ENFILE", ["refused", "this machine has too many open files"]],
	["EACCES", ["refused", "the system does not allow it"]],
	["EPERM", ["refused", "the system does not allow it"]],
	["ECONNRESET", ["reset", "the broker reset it"]],
	["EPIPE", ["reset", "the broker reset it"]],
	["ECONNABORTED", ["reset", "the system aborted it"]],
]);

/**
 * Says what a failed attempt or a lost connection means to a person; the only place that reads Node's error codes.
 * `step` is how far the attempt had come, `open` for a connection that stood.
 */
export function connectionError(url: BrokerUrl, error: unknown, step: DialStep | "open"): MqttConnectionError {
	if (error instanceof MqttConnectionError) return error;
	const [reason, text] = explain(error, step);
	const what = step === "open" ? `connection to ${url.href} lost` : `cannot connect to ${url.href}`;
	return new MqttConnectionError(`${what}: ${text}`, { url: url.href, reason, cause: error });
}

/** The error for TLS settings that Node refuses before any connection is tried. */
export function unusableTlsSettings(url: BrokerUrl, error: unknown): MqttConnectionError {
	const { reason, message } = error as NodeError;
	const text = `cannot connect to ${url.href}: our certificate, key or CA cannot be used: ${reason ?? message}`;
	return new MqttConnectionError(text, { url: url.href, reason: "tls", cause: error });
}

function explain(thrown: unknown, step: DialStep | "open"): Explanation {
	const several = (thrown as NodeError).errors ?? [];
	// The address that was tried last is the one that had the most time.
	const error = several.at(-1) ?? (thrown as NodeError);
	const { code = "", message } = error;
	// Mostly a broker that restarts behind a load balancer, so not a lasting TLS problem.
	if (step === "TLS handshake" && (code === "ECONNRESET" || code === "EPIPE")) return ["closed", HUNG_UP];
	const tlsText = explainTls(error, step);
	if (tlsText !== undefined) return ["tls", tlsText];
	if (code === "ETIMEDOUT" && step === "open") return ["dead", "the broker's system does not answer any more"];
	if (code === "ECONNRESET" && step === "WebSocket upgrade")
		return ["closed", "the broker closed it instead of the WebSocket upgrade"];
	const known = NETWORK.get(code);
	if (known !== undefined) return known;
	if (error.syscall === "getaddrinfo") return ["dns", `the host name cannot be looked up (${code})`];
	if (code.startsWith("HPE_")) return ["protocol", "the peer speaks no WebSocket on this port"];
	if (code.startsWith("WS_ERR_")) return ["protocol", `the broker broke the WebSocket protocol: ${message}`];
	if (step === "WebSocket upgrade") return ["protocol", `the WebSocket upgrade failed: ${message}`];
	return [step === "open" ? "reset" : "refused", message];
}

function explainTls(error: NodeError, step: DialStep | "open"): string | undefined {
	const { code = "", reason, message } = error;
	if (code === "ERR_TLS_CERT_ALTNAME_INVALID")
		return `the broker's certificate is for another host: ${reason ?? message}`;
	const flaw = CERTIFICATE.get(code);
	if (flaw !== undefined) return `the broker's certificate ${flaw} (${code})`;
	if (step !== "TLS handshake" && !/^(ERR_SSL_|EPROTO$)/.test(code)) return undefined;
	const words = `${code} ${reason ?? ""} ${message}`.replaceAll("_", " ");
	const known = HANDSHAKE.find(([pattern]) => pattern.test(words) || pattern.test(words.toLowerCase()));
	return known?.[1] ?? `TLS failed: ${reason ?? message}`;
}
