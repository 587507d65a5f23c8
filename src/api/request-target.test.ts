import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseTarget } from "./request-target.js";

describe("parseTarget", () => {
	test.each([
		["/v1.0/bindings/orders", "/v1.0/bindings/orders", ""],
		["//v1.0///bindings/orders/", "/v1.0/bindings/orders", ""],
		["/v1.0/bindings/my%20orders", "/v1.0/bindings/my%20orders", ""],
		["/v1.0/bindings/my+orders", "/v1.0/bindings/my%20orders", ""],
		["/v1.0/bindings/my%2Borders", "/v1.0/bindings/my%2Borders", ""],
		["/v1.0/bindings/%6frders", "/v1.0/bindings/orders", ""],
		["/v1.0/bindings/%252f", "/v1.0/bindings/%252f", ""],
		["/v1.0/bindings/%c3%a4", "/v1.0/bindings/%C3%A4", ""],
		["/v1.0/healthz?appid=a&b=/../%2f", "/v1.0/healthz", "appid=a&b=/../%2f"],
		["/", "/", ""],
		["?x", undefined, ""],
	])("%s is the path %s", (url, path, query) => {
		const target = parseTarget(url);
		if (path === undefined) expect(target).toHaveProperty("refused");
		else expect(target).toEqual({ path, query });
	});

	test.each([
		"/v1.0/bindings/a%2fb",
		"/v1.0/bindings/a%2Fb",
		"/v1.0/bindings/a%5cb",
		"/v1.0/bindings/a\\b",
		"/v1.0/bindings/a%00",
		"/v1.0/bindings/a%0ab",
		"/v1.0/bindings/%7f",
		"/v1.0/bindings/..",
		"/v1.0/bindings/../healthz",
		"/v1.0/bindings/./x",
		"/v1.0/bindings/%2e%2e/healthz",
		"/v1.0/bindings/%2e",
		"/v1.0/bindings/a..b",
		"/v1.0/bindings/%ff",
		"/v1.0/bindings/%",
		"/v1.0/bindings/%zz",
		"http://127.0.0.1/v1.0/healthz",
		"*",
		"",
	])("%j is refused", (url) => {
		expect(parseTarget(url)).toHaveProperty("refused");
	});

	test("a path that passes means the same when it is parsed again, and holds no way up", () => {
		const unit = fc.constantFrom(..."/%.+\\ab25ef0c?;~", "%2f", "%2e", "%25", "..", "ä", "%c3%a4");
		fc.assert(
			fc.property(fc.string({ unit }), (url) => {
				const target = parseTarget(`/${url}`);
				if ("refused" in target) return;
				expect(parseTarget(target.path)).toEqual({ path: target.path, query: "" });
				for (const segment of target.path.split("/")) expect(decodeURIComponent(segment)).not.toMatch(/[/\\]|\.\./);
			}),
			{ numRuns: 2_000 },
		);
	});
});
