import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { JsonSyntaxError, readMembers, skipValue } from "./raw-json.js";

function members(text: string): [string, string][] {
	const bytes = Buffer.from(text);
	const found: [string, string][] = [];
	readMembers(bytes, 0, (name, from, to) => found.push([name, bytes.toString("utf8", from, to)]));
	return found;
}

describe("readMembers", () => {
	test.each<[string, [string, string][]]>([
		["{}", []],
		[' \t\r\n{ "a" : 1 } trailing', [["a", "1"]]],
		[
			'{"a":{"b":[1,{"a":2}]},"c":[]}',
			[
				["a", '{"b":[1,{"a":2}]}'],
				["c", "[]"],
			],
		],
		[
			'{"d\\u0061ta":"x","\\"":2}',
			[
				["data", '"x"'],
				['"', "2"],
			],
		],
		[
			'{"ä€😀":"}","":"\\"]"}',
			[
				["ä€😀", '"}"'],
				["", '"\\"]"'],
			],
		],
		[
			'{"n":12345678901234567890.50e+07,"z":-0}',
			[
				["n", "12345678901234567890.50e+07"],
				["z", "-0"],
			],
		],
		[
			'{"a":1,"a":2}',
			[
				["a", "1"],
				["a", "2"],
			],
		],
	])("%j has these members, their values as written", (text, expected) => {
		expect(members(text)).toEqual(expected);
	});

	test.each([
		["", "unexpected end of JSON, expected an object, at byte 0"],
		["[]", "unexpected '[', expected an object, at byte 0"],
		["\ufeff{}", "unexpected 0xef, expected an object, at byte 0"],
		['{"a"', 'unexpected end of JSON, expected ":", at byte 4'],
		['{"a":1,}', "unexpected '}', expected a string, at byte 7"],
		["{'a':1}", "unexpected ''', expected a string, at byte 1"],
		['{"a":01}', 'unexpected \'1\', expected "," or "}", at byte 6'],
		['{"a":"\n"}', "unexpected 0x0a, expected no control character in a string, at byte 6"],
		['{"a":nul}', "unexpected '}', expected \"null\", at byte 8"],
		['{"a":[1 2]}', 'unexpected \'2\', expected "," or "]", at byte 8'],
	])("%j is refused with the place", (text, message) => {
		expect(() => members(text)).toThrow(
			new JsonSyntaxError(message.replace(/ at byte \d+$/, ""), Number(/\d+$/.exec(message)?.[0])),
		);
	});

	test("a document of ten thousand levels is followed, a deeper one refused, without recursion", () => {
		const nested = (depth: number) => `{"a":${"[".repeat(depth)}${"]".repeat(depth)}}`;
		expect(members(nested(10_000))).toHaveLength(1);
		expect(() => members(nested(10_001))).toThrow("more than 10000 levels");
		expect(() => members(nested(2_000_000))).toThrow("more than 10000 levels");
	});

	test("the members of any object are those that JSON.parse finds, each with its own JSON text", () => {
		fc.assert(
			fc.property(fc.dictionary(fc.string({ unit: "binary" }), fc.jsonValue()), fc.nat(3), (object, indent) => {
				const text = JSON.stringify(object, null, indent);
				const found = members(text).map(([name, value]) => [name, JSON.parse(value)]);
				expect(Object.fromEntries(found)).toEqual(JSON.parse(text));
			}),
		);
	});
});

describe("skipValue", () => {
	/** What JSON.parse says of the text. */
	function isJson(text: string): boolean {
		try {
			JSON.parse(text);
			return true;
		} catch {
			return false;
		}
	}

	/** What skipValue says: a value, and nothing but white space around it. */
	function isWhole(text: string): boolean {
		const bytes = Buffer.from(text);
		try {
			return bytes.toString("utf8", skipValue(bytes, bytes.length - bytes.toString().trimStart().length)).trim() === "";
		} catch (error) {
			expect(error).toBeInstanceOf(JsonSyntaxError);
			return false;
		}
	}

	test("it takes exactly what JSON.parse takes, for texts of JSON's own characters", () => {
		const unit = fc.constantFrom(
			...'{}[],:"\\ \n\tu0019aeE+-.tfn',
			"true",
			"false",
			"null",
			'"a"',
			"\\u00e9",
			"\u0001",
		);
		fc.assert(
			fc.property(fc.string({ unit, minLength: 1, maxLength: 12 }), (text) => {
				fc.pre(text.trim() !== "");
				expect(isWhole(text)).toBe(isJson(text));
			}),
			{ numRuns: 20_000 },
		);
	});

	test("it takes exactly what JSON.parse takes, for documents with one character changed", () => {
		const mutated = fc.tuple(fc.json(), fc.nat(), fc.constantFrom(...'{}[],:"\\0-.eE+ tn')).map(([text, at, char]) => {
			const place = at % (text.length + 1);
			return text.slice(0, place) + char + text.slice(place + 1);
		});
		fc.assert(
			fc.property(mutated, (text) => {
				fc.pre(text.trim() !== "");
				expect(isWhole(text)).toBe(isJson(text));
			}),
			{ numRuns: 5_000 },
		);
	});
});
