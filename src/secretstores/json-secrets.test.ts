import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readJsonSecrets } from "./json-secrets.js";

function read(content: unknown, multiValued: boolean, separator = ":"): Record<string, Record<string, string>> {
	const secrets = readJsonSecrets(JSON.stringify(content), { multiValued, separator });
	return Object.fromEntries([...secrets].map(([name, values]) => [name, { ...values }]));
}

const CONTENT = {
	plain: "p",
	number: 5,
	flag: true,
	nothing: null,
	mqtt: { user: "u", keys: ["k0", { deep: 1.5 }] },
	list: ["l"],
};

describe("readJsonSecrets", () => {
	it("makes every value a secret of its own when single-valued", () => {
		expect(read(CONTENT, false)).toEqual({
			plain: { plain: "p" },
			number: { number: "5" },
			flag: { flag: "true" },
			"mqtt:user": { "mqtt:user": "u" },
			"mqtt:keys:0": { "mqtt:keys:0": "k0" },
			"mqtt:keys:1:deep": { "mqtt:keys:1:deep": "1.5" },
			"list:0": { "list:0": "l" },
		});
	});

	it("joins names with the separator", () => {
		expect(Object.keys(read({ a: { b: { c: "x" } } }, false, "__"))).toEqual(["a__b__c"]);
	});

	it("makes each text and object at the top a secret when multi-valued", () => {
		expect(read({ ...CONTENT, list: undefined }, true)).toEqual({
			plain: { plain: "p" },
			mqtt: { user: "u", "keys:0": "k0", "keys:1:deep": "1.5" },
		});
	});

	it("drops lists at the top when multi-valued", () => {
		expect(read({ list: ["l"], a: "b" }, true)).toEqual({ a: { a: "b" } });
	});

	it.each([
		['{"a": s3cret}', /^is not valid JSON(?:: line 1)?$/],
		['{"a": "s3cret",\n"b": }', /^is not valid JSON(?:: line 2)?$/],
		["", /^is not valid JSON/],
		['["s3cret"]', /^is not a JSON object$/],
		["null", /^is not a JSON object$/],
		['{"a": {"b": "s3cret"}, "a:b": "s3cret"}', /^holds two values named "a:b"$/],
		['{"a": {"b": 12345678901234567890}}', /^holds a number with too many digits at "a:b": write it as text$/],
		[`{"a": ${"[".repeat(50_000)}${"]".repeat(50_000)}}`, /^is nested too deeply$/],
	])("refuses %.40j without showing a value", (text, message) => {
		expect(() => readJsonSecrets(text, { multiValued: false, separator: ":" })).toThrow(message);
	});

	it("changes no prototype, whatever the names are", () => {
		const name = fc.constantFrom("__proto__", "constructor", "prototype", "toString", "a");
		const tree = fc.letrec<{ node: unknown }>((tie) => ({
			node: fc.oneof({ depthSize: "small" }, fc.string(), fc.array(fc.tuple(name, tie("node")), { maxLength: 3 })),
		})).node;
		const toJson = (node: unknown): string =>
			Array.isArray(node)
				? `{${[...new Map(node)].map(([key, value]) => `${JSON.stringify(key)}:${toJson(value)}`).join()}}`
				: JSON.stringify(node);
		fc.assert(
			fc.property(fc.array(fc.tuple(name, tree), { maxLength: 4 }), fc.boolean(), (members, multiValued) => {
				const before = Object.getOwnPropertyNames(Object.prototype);
				const secrets = readJsonSecrets(toJson(members), { multiValued, separator: ":" });
				expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(before);
				for (const values of secrets.values()) expect(Object.getPrototypeOf(values)).toBeNull();
			}),
		);
	});
});
