import type { AppChannel } from "./app-channel.js";
import { H2cCarrier, RequestHeaders } from "./h2c-carrier.js";
import { H2cHealth } from "./h2c-health.js";
import { H2cSessions } from "./h2c-sessions.js";
import { createHttpChannel, type HttpChannelOptions, type HttpTransport } from "./http-channel.js";

/**
 * The way to an app that speaks HTTP/2 over plain TCP, as an HTTP channel in all else. All requests share one connection.
 * Throws ConfigurationError when the token can't be a header.
 */
export function createH2cChannel(options: Omit<HttpChannelOptions, "protocol">): AppChannel {
	return createHttpChannel(options, overOneConnection);
}

function overOneConnection(origin: string): HttpTransport {
	const sessions = new H2cSessions(origin);
	const headers = new RequestHeaders(new URL(origin).host);
	return {
		open: (listener) => new H2cCarrier(sessions, listener, headers),
		health: (path, timeoutMs) => new H2cHealth(origin, path, timeoutMs),
		connectError: () => sessions.lastError?.message,
		close: () => sessions.close(),
	};
}
