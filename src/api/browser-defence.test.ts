import type { IncomingMessage } from "node:http";
import { describe, expect, test } from "vitest";
import { ConfigurationError } from "../errors.js";
import { BrowserDefence } from "./browser-defence.js";

interface Given {
	readonly method?: string;
	readonly hasToken?: boolean;
	readonly hosts?: readonly string[];
	readonly origins?: readonly string[];
}

function check(
	headers: Readonly<Record<string, string>>,
	{ method = "GET", hasToken = false, hosts = [], origins = [] }: Given = {},
) {
	const request = { method, headers: { host: "127.0.0.1:3500", ...headers } };
	return new BrowserDefence(hosts, origins, hasToken).check(request as unknown as IncomingMessage)?.status;
}

describe("Host", () => {
	test.each([
		"localhost",
		"LocalHost:3500",
		"127.0.0.1",
		"10.1.2.3:80",
		"[::1]:3500",
		"[fe80::1]",
		"sidecar.shop:3500",
	])("%s is allowed", (host) => expect(check({ host }, { hosts: ["Sidecar.Shop"] })).toBeUndefined());

	test.each([
		"",
		"evil.example",
		"evil.example:3500",
		"localhost.evil.example",
		"127.0.0.1.evil.example",
		"localhost:3500:3500",
		"localhost@evil.example",
		"0x7f.1",
		"127.1",
		"[::1",
		"[evil.example]",
		"::1",
		"localhost.",
	])("%j is refused with 421", (host) => {
		expect(check({ host })).toBe(421);
	});

	test("a request without Host is refused with a text that names the flag", () => {
		const request = { method: "GET", headers: {} } as unknown as IncomingMessage;
		expect(new BrowserDefence([], [], false).check(request)).toMatchObject({
			status: 421,
			text: expect.stringContaining("--allowed-hosts"),
		});
	});

	test("one allowed host does not open the door for the next one", () => {
		const defence = new BrowserDefence([], [], false);
		const ask = (host: string) => defence.check({ headers: { host } } as unknown as IncomingMessage)?.status;
		expect([ask("localhost"), ask("localhost"), ask("evil.example"), ask("localhost")]).toEqual([
			undefined,
			undefined,
			421,
			undefined,
		]);
	});
});

describe("Origin and Sec-Fetch-Site", () => {
	const origins = ["https://shop.example"];
	test.each<[Readonly<Record<string, string>>, number | undefined]>([
		[{}, undefined],
		[{ "sec-fetch-site": "none" }, undefined],
		[{ "sec-fetch-site": "same-origin" }, undefined],
		[{ "sec-fetch-site": "same-site" }, 403],
		[{ "sec-fetch-site": "cross-site" }, 403],
		[{ "sec-fetch-site": "" }, 403],
		[{ origin: "http://127.0.0.1:3500" }, undefined],
		[{ origin: "https://127.0.0.1:3500" }, 403],
		[{ origin: "http://127.0.0.1:9999" }, 403],
		[{ origin: "null" }, 403],
		[{ origin: "" }, 403],
		[{ origin: "https://evil.example" }, 403],
		[{ origin: "https://evil.example", "sec-fetch-site": "same-origin" }, 403],
		[{ origin: "https://shop.example", "sec-fetch-site": "cross-site" }, undefined],
		[{ origin: "https://shop.example.evil.example" }, 403],
	])("%j: %j", (headers, status) => {
		expect(check(headers, { origins })).toBe(status);
	});

	test("a page may write only as JSON and where a token is set", () => {
		const json = { "sec-fetch-site": "same-origin", "content-type": "application/json; charset=utf-8" };
		expect(check(json, { method: "POST", hasToken: true })).toBeUndefined();
		expect(check(json, { method: "POST" })).toBe(403);
		for (const type of ["text/plain", "application/jsonx", "application/x-www-form-urlencoded"]) {
			expect(check({ ...json, "content-type": type }, { method: "PUT", hasToken: true })).toBe(403);
		}
		expect(check({ "sec-fetch-site": "same-origin" }, { method: "POST", hasToken: true })).toBe(403);
	});
});

describe("options", () => {
	test.each(["https://a.example", "a:1", "", "a b", "*"])("%j is no host name", (host) => {
		expect(() => new BrowserDefence([host], [], false)).toThrow(ConfigurationError);
	});
	test.each(["*", "a.example", "https://*.example", "https://a.example/", "null", ""])("%j is no origin", (origin) => {
		expect(() => new BrowserDefence([], [origin], false)).toThrow("--allowed-origins");
	});
});
