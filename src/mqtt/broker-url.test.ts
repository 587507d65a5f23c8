import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ConfigurationError } from "../errors.js";
import { parseBrokerUrl, splitBrokerUrls } from "./broker-url.js";

function errorOf(text: string): ConfigurationError {
	try {
		parseBrokerUrl(text);
	} catch (error) {
		if (error instanceof ConfigurationError) return error;
		throw error;
	}
	throw new Error("it was accepted");
}

test.each([
	["tcp://host", "tcp", "host", 1883, "", "tcp://host:1883"],
	["mqtt://host:1884", "tcp", "host", 1884, "", "tcp://host:1884"],
	["MQTT://Host.Example", "tcp", "host.example", 1883, "", "tcp://host.example:1883"],
	["  tcp://host:1883/\n", "tcp", "host", 1883, "", "tcp://host:1883"],
	["ssl://host", "tls", "host", 8883, "", "tls://host:8883"],
	["tls://host", "tls", "host", 8883, "", "tls://host:8883"],
	["tcps://host", "tls", "host", 8883, "", "tls://host:8883"],
	["mqtts://host:443", "tls", "host", 443, "", "tls://host:443"],
	["ws://host", "ws", "host", 80, "/", "ws://host:80/"],
	["ws://host/mqtt/?a=b,c&d=%40", "ws", "host", 80, "/mqtt/?a=b,c&d=%40", "ws://host:80/mqtt/"],
	["wss://host?x=1", "wss", "host", 443, "/?x=1", "wss://host:443/"],
	["tcp://10.0.0.7", "tcp", "10.0.0.7", 1883, "", "tcp://10.0.0.7:1883"],
	["tcp://a_broker.svc.", "tcp", "a_broker.svc.", 1883, "", "tcp://a_broker.svc.:1883"],
	["tcp://bücher.example", "tcp", "xn--bcher-kva.example", 1883, "", "tcp://xn--bcher-kva.example:1883"],
	["tcp://[::1]", "tcp", "::1", 1883, "", "tcp://[::1]:1883"],
	["ssl://[2001:DB8:0::1]:8884", "tls", "2001:db8::1", 8884, "", "tls://[2001:db8::1]:8884"],
	["tcp://[fe80::1%25eth0]", "tcp", "fe80::1%eth0", 1883, "", "tcp://[fe80::1%eth0]:1883"],
])("%s is taken apart", (text, transport, host, port, path, href) => {
	expect(parseBrokerUrl(text)).toEqual({ transport, host, port, path, href });
});

test.each([
	["tcp://user:pass@host", "user", "pass"],
	["tcp://user@host", "user", undefined],
	["tcp://user:@host", "user", undefined],
	["tcp://@host", undefined, undefined],
	["tcp://:@host", undefined, undefined],
	["tcp://user:p@ss:w/o?rd@host", "user", "p@ss:w/o?rd"],
	["tcp://us%40er:p%23%25%3A@host", "us@er", "p#%:"],
	["tcp://user:a,b@host", "user", "a,b"],
	["ssl://hub/dev/?api-version=1:Shared Access=%2B@host", "hub/dev/?api-version=1", "Shared Access=+"],
	["tcp://ü:%C3%BC@host", "ü", "ü"],
])("%s has the user name and password it says, and href neither", (text, username, password) => {
	const url = parseBrokerUrl(text);
	expect([url.username, url.password]).toEqual([username, password]);
	expect(url.href).toMatch(/^(tcp|tls):\/\/host:\d+$/);
});

test("any user name and password that are percent-encoded come back as they were", () => {
	const text = fc.string({ unit: "grapheme", minLength: 1 }).filter((text) => !text.includes("\0"));
	fc.assert(
		fc.property(text, text, (username, password) => {
			const url = `wss://${encodeURIComponent(username)}:${encodeURIComponent(password)}@host/mqtt`;
			expect(parseBrokerUrl(url)).toMatchObject({ username, password, host: "host", path: "/mqtt" });
		}),
	);
});

describe("an error names the property url and says what is expected:", () => {
	test.each([
		["host:1883", /no scheme; expected tcp, mqtt, ssl/],
		["", /no scheme/],
		["mqtt:host", /no scheme/],
		["http://host", /unknown scheme "http" \(did you mean ws\?\)/],
		["https://host", /did you mean wss\?/],
		["mqtt+ssl://host", /did you mean mqtts\?/],
		["mqtt5://host", /did you mean mqtt\?/],
		["mqqt://host", /did you mean mqtt\?/],
		["sssl://host", /did you mean ssl\?/],
		["tcp://", /no host/],
		["tcp://:1883", /no host/],
		["tcp://user:pw@", /no host/],
		["tcp://host:", /bad port; expected a number from 1 to 65535/],
		["tcp://host:0", /bad port/],
		["tcp://host:65536", /bad port/],
		["tcp://host:18a3", /bad port/],
		["tcp://::1", /IPv6 address in brackets/],
		["tcp://fe80::1:1883", /IPv6 address in brackets/],
		["tcp://[::1", /bad host|brackets/],
		["tcp://[host]", /no IPv6 address/],
		["tcp://[::1]x", /bad host|brackets/],
		["tcp://a,b", /bad host/],
		["tcp://a b", /bad host/],
		["tcp://host/path", /has a path; only ws:\/\/ and wss:\/\//],
		["tcp://host?x=1", /has a path/],
		["ws://host/a b", /percent-encoded/],
		["tcp://host#x", /%23/],
		["tcp://user:pa#ss@host", /"#"; write it as %23, also in the password/],
		["tcp://:secret@host", /password without a user name \[MQTT-3.1.2-22\]/],
		["tcp://user:100%@host", /bad percent escape in its password; write % itself as %25/],
		["tcp://%ff:pw@host", /bad percent escape in its user name/],
		["tcp://a%00b:pw@host", /U\+0000/],
		["tcp://\ud800:pw@host", /surrogate/],
		["tcp://one,tcp://two", /more than one broker/],
	])("%j", (text, message) => {
		expect(errorOf(text)).toMatchObject({ property: "url", message: expect.stringMatching(message) });
	});
});

test("whatever is wrong with it, no error holds a part of the user info", () => {
	const broken = fc.constantFrom("#", "%", "%zz", "/", "?", ":", "@", ",", "");
	const ending = fc.constantFrom(
		"",
		"host:99999",
		"host",
		"ho st",
		"[::",
		"::1",
		"host/path",
		":1883",
		"host:port",
		"a,b",
	);
	const scheme = fc.constantFrom("", "tcp://", "ssl://", "ws://", "mqqt://", "tcp:/", "tcp:");
	fc.assert(
		fc.property(scheme, broken, broken, ending, (scheme, inName, inPassword, ending) => {
			const text = `${scheme}canaryName${inName}:canaryPass${inPassword}word@${ending}`;
			try {
				expect(parseBrokerUrl(text).href).not.toMatch(/canary|word/i);
			} catch (error) {
				if (!(error instanceof ConfigurationError)) throw error;
				expect(`${error.message} ${error.stack} ${error.cause}`).not.toMatch(/canary|Pass\w*word/);
			}
		}),
	);
});

test("a password whose host was forgotten is not shown as a bad port", () => {
	expect(errorOf("tcp://user:secret").message).not.toContain("secret");
	expect(errorOf("tcp://user:1234567").message).not.toContain("1234567");
});

test("a comma separates brokers only before scheme://", () => {
	expect(splitBrokerUrls("tcp://a")).toEqual(["tcp://a"]);
	expect(splitBrokerUrls(" tcp://a , ssl://u:p,w@b,mqtts://c/?x=1,2 ")).toEqual([
		"tcp://a",
		"ssl://u:p,w@b",
		"mqtts://c/?x=1,2",
	]);
});
