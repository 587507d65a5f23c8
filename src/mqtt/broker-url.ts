import { isIPv6 } from "node:net";
import { domainToASCII } from "node:url";
import { ConfigurationError } from "../errors.js";

/** A broker's address, taken apart. User name and password are kept away from `href`. */
export interface BrokerUrl {
	readonly transport: "tcp" | "tls" | "ws" | "wss";
	/** Host name or IP address; an IPv6 literal without its brackets. */
	readonly host: string;
	readonly port: number;
	/** For `ws` and `wss`: path and query, at least `/`. Empty for the others. */
	readonly path: string;
	/** Percent-decoded. */
	readonly username?: string | undefined;
	/** Percent-decoded. */
	readonly password?: string | undefined;
	/** Normal form without user name, password and query, which may all be secret; for messages and for comparing brokers: `tcp://host:1883`. */
	readonly href: string;
}

type Transport = BrokerUrl["transport"];

const DEFAULT_PORT: Readonly<Record<Transport, number>> = { tcp: 1883, tls: 8883, ws: 80, wss: 443 };

const TRANSPORTS: ReadonlyMap<string, Transport> = new Map([
	["tcp", "tcp"],
	["mqtt", "tcp"],
	["ssl", "tls"],
	["tls", "tls"],
	["tcps", "tls"],
	["mqtts", "tls"],
	["ws", "ws"],
	["wss", "wss"],
]);

/** What people write who mean one of ours; anything else gets the scheme that begins alike. */
const MEANT: ReadonlyMap<string, string> = new Map([
	["http", "ws"],
	["https", "wss"],
	["mqtt+ssl", "mqtts"],
	["mqtt+tls", "mqtts"],
	["mqttws", "ws"],
	["mqttwss", "wss"],
]);

/**
 * Takes a broker's URL apart: `scheme://[user[:password]@]host[:port][/path][?query]`, the last two for `ws` and `wss` only.
 * The last `@` ends the user info, in which percent escapes are decoded and any character but `#` may stand as it is; an empty password is none.
 * Throws ConfigurationError for the property `url`; its message never holds any part of the user info.
 */
export function parseBrokerUrl(text: string): BrokerUrl {
	const url = text.trim();
	if (splitBrokerUrls(url).length > 1) throw wrong("url names more than one broker");
	// Looked for first: behind a "#" nobody can tell any more where the user info ends.
	if (url.includes("#")) throw wrong('url holds a "#"; write it as %23, also in the password');
	const [, scheme, rest] = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/is.exec(url) ?? [];
	if (scheme === undefined || rest === undefined) {
		throw wrong(`url has no scheme; expected ${allSchemes()} before the host, as in tcp://host:1883`);
	}
	const transport = transportOf(scheme.toLowerCase());
	const at = rest.lastIndexOf("@");
	const [, authority = "", pathText = ""] = /^([^/?]*)(.*)$/s.exec(rest.slice(at + 1)) ?? [];
	const { host, port } = hostAndPort(authority, DEFAULT_PORT[transport]);
	const path = pathOf(pathText, transport);
	const shownHost = host.includes(":") ? `[${host}]` : host;
	return {
		transport,
		host,
		port,
		path,
		...userInfo(rest.slice(0, Math.max(at, 0))),
		href: `${transport}://${shownHost}:${port}${path.replace(/\?.*$/s, "")}`,
	};
}

/** Separates several brokers' URLs. A comma separates only where `scheme://` follows; elsewhere it belongs to the URL. */
export function splitBrokerUrls(text: string): string[] {
	return text.trim().split(/\s*,\s*(?=[a-z][a-z0-9+.-]*:\/\/)/i);
}

function transportOf(scheme: string): Transport {
	const transport = TRANSPORTS.get(scheme);
	if (transport === undefined) {
		throw wrong(
			`url has the unknown scheme "${scheme}" (did you mean ${nearestScheme(scheme)}?); expected ${allSchemes()}`,
		);
	}
	return transport;
}

function nearestScheme(scheme: string): string {
	const meant = MEANT.get(scheme);
	if (meant !== undefined) return meant;
	const known = [...TRANSPORTS.keys()];
	for (let length = scheme.length; length > 0; length--) {
		const alike = known.find((candidate) => candidate.startsWith(scheme.slice(0, length)));
		if (alike !== undefined) return alike;
	}
	return "mqtt";
}

function allSchemes(): string {
	return [...TRANSPORTS.keys()].join(", ");
}

// Half a surrogate pair has no UTF-8 form.
const UNFIT_FOR_MQTT = /[\0\p{Cs}]/u;

function userInfo(text: string): { username?: string; password?: string } {
	const colon = text.indexOf(":");
	const username = decoded(colon < 0 ? text : text.slice(0, colon), "user name");
	const password = colon < 0 ? "" : decoded(text.slice(colon + 1), "password");
	if (username === "" && password !== "") throw wrong("url has a password without a user name [MQTT-3.1.2-22]");
	if (UNFIT_FOR_MQTT.test(username)) {
		throw wrong("url has a user name with U+0000 or half a surrogate pair [MQTT-1.5.3-2] [MQTT-3.1.3-11]");
	}
	return { ...(username === "" ? {} : { username }), ...(password === "" ? {} : { password }) };
}

function decoded(text: string, what: string): string {
	try {
		return decodeURIComponent(text);
	} catch {
		// Not as the cause: a URIError may quote what it could not decode.
		throw wrong(`url has a bad percent escape in its ${what}; write % itself as %25`);
	}
}

function hostAndPort(authority: string, defaultPort: number): { host: string; port: number } {
	const [, literal, name = "", portText] = /^(?:\[(.*)\]|([^:]*))(?::(.*))?$/s.exec(authority) ?? [];
	if (portText?.includes(":")) {
		throw wrong("url has two colons after its host; write an IPv6 address in brackets, as in tcp://[::1]:1883");
	}
	if (literal === undefined && name === "") throw wrong("url has no host");
	const host = literal === undefined ? hostName(name) : ipv6(literal);
	if (portText === undefined) return { host, port: defaultPort };
	// The text itself is not shown: who forgot "@host" has a password there.
	const port = /^\d{1,5}$/.test(portText) ? Number(portText) : 0;
	if (port < 1 || port > 65_535) throw wrong("url has a bad port; expected a number from 1 to 65535");
	return { host, port };
}

function hostName(name: string): string {
	const host = /^[\p{L}\p{M}\p{N}._~-]+$/u.test(name) ? asciiHost(name) : "";
	if (host === "")
		throw wrong("url has a bad host; expected a host name, an IPv4 address or an IPv6 address in brackets");
	return host;
}

// Plain ASCII stays as written, apart from case: domainToASCII would read `10.1` as an address.
function asciiHost(name: string): string {
	return /^[ -~]+$/.test(name) ? name.toLowerCase() : domainToASCII(name);
}

function ipv6(literal: string): string {
	const [address = "", zone] = literal.replace("%25", "%").split("%");
	if (!isIPv6(literal.replace("%25", "%"))) throw wrong("url has something in brackets that is no IPv6 address");
	const shortest = new URL(`http://[${address}]`).hostname.slice(1, -1);
	return zone === undefined ? shortest : `${shortest}%${zone}`;
}

function pathOf(text: string, transport: Transport): string {
	if (transport === "tcp" || transport === "tls") {
		if (text !== "" && text !== "/") throw wrong("url has a path; only ws:// and wss:// take one");
		return "";
	}
	if (/[^!-~]/.test(text))
		throw wrong("url has a blank or a character outside of ASCII in its path; write it percent-encoded");
	return text.startsWith("/") ? text : `/${text}`;
}

function wrong(message: string): ConfigurationError {
	return new ConfigurationError(message, { property: "url" });
}
