import { connect, isIP, type LookupFunction, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { BrokerUrl } from "./broker-url.js";
import type { TlsSettings } from "./connection.js";
import { connectionError, unusableTlsSettings } from "./connection-error.js";
import type { DialAttempt } from "./dial-attempt.js";
import { tlsOptions } from "./tls-options.js";

/** How many bytes a socket takes before it counts as full, where the system does not take them at once. */
export const SOCKET_BUFFER_BYTES = 64 * 1024;

/**
 * Opens a socket to the broker, with TLS where the URL says so, trying all addresses of its host.
 * Rejects with MqttConnectionError. The socket has a listener for errors, so that none in between ends the process.
 */
export function openSocket(
	url: BrokerUrl,
	tls: TlsSettings | undefined,
	attempt: DialAttempt,
	lookup?: LookupFunction,
): Promise<Socket> {
	return new Promise((resolve, reject) => {
		attempt.signal.throwIfAborted();
		attempt.step = isIP(url.host) === 0 ? "name lookup" : "TCP connection";
		const isTls = url.transport === "tls" || url.transport === "wss";
		const target = {
			host: url.host,
			port: url.port,
			highWaterMark: SOCKET_BUFFER_BYTES,
			noDelay: true,
			autoSelectFamily: true,
			// Node's 250 ms would give up a far address before it can answer; this leaves time for four.
			autoSelectFamilyAttemptTimeout: Math.max(250, Math.floor(attempt.timeoutMs / 4)),
			...(lookup === undefined ? {} : { lookup }),
		};
		let socket: Socket;
		try {
			socket = isTls ? connectTls({ ...target, ...tlsOptions(url.host, tls) }) : connect(target);
		} catch (error) {
			reject(unusableTlsSettings(url, error));
			return;
		}
		socket.once("lookup", (error) => {
			if (!error) attempt.step = "TCP connection";
		});
		socket.once("connect", () => {
			if (isTls) attempt.step = "TLS handshake";
			else resolve(socket);
		});
		socket.once("secureConnect", () => resolve(socket));
		socket.on("error", (error) => reject(connectionError(url, error, attempt.step)));
		attempt.signal.addEventListener("abort", () => socket.destroy(attempt.signal.reason));
	});
}
