import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseCreateRequest } from "./create-request.js";
import { MalformedRequestError } from "./status.js";

function parse(text: string | Uint8Array) {
	const { operation, metadata, data } = parseCreateRequest(Buffer.from(text as string));
	return { operation, metadata: { ...metadata }, data: Buffer.from(data).toString() };
}

describe("parseCreateRequest", () => {
	test("operation, metadata and the text of data are found", () => {
		const text = '{"data": {"b":1, "a":"<&>"} ,"metadata":{"topic":"a/b"},"operation":"create"}';
		expect(parse(text)).toEqual({ operation: "create", metadata: { topic: "a/b" }, data: '{"b":1, "a":"<&>"}' });
	});

	test.each([
		['{"data":12345678901234567890123}', "12345678901234567890123"],
		['{"data":"hi"}', '"hi"'],
		['{"data":"\\u00e9\\ud83d\\ude00€"}', '"\\u00e9\\ud83d\\ude00€"'],
		['{"data":null}', "null"],
		['{"data": [ 1,2 ] }', "[ 1,2 ]"],
		['{"d\\u0061ta":1}', "1"],
		['{"DATA":1}', "1"],
		['{"data":1,"Data":2}', "2"],
		['{"x":{"data":1}}', ""],
		["{}", ""],
	])("the payload of %s is %j", (body, payload) => {
		expect(parse(body).data).toBe(payload);
	});

	test("member names are found in any case", () => {
		expect(parse('{"OPERATION":"create","MetaData":{"Topic":"x"}}')).toMatchObject({
			operation: "create",
			metadata: { Topic: "x" },
		});
	});

	test("unknown members and what follows the object are ignored", () => {
		expect(parse('{"operation":"create","path":"/x"}{"operation":"get"} nonsense').operation).toBe("create");
		expect(parse(Buffer.from([...Buffer.from('{"operation":"create"}'), 0xff])).operation).toBe("create");
	});

	test("of duplicate members the last wins", () => {
		const text = '{"operation":"a","metadata":{"x":"1","x":"2"},"operation":"b","metadata":{"y":"1","y":"2"}}';
		expect(parse(text)).toMatchObject({ operation: "b", metadata: { y: "2" } });
	});

	test("null stands for an absent operation, absent metadata and an absent value", () => {
		expect(parse('{"operation":null,"metadata":null}')).toMatchObject({ operation: "", metadata: {} });
		expect(parse('{"metadata":{"topic":"a","topic":null,"x":"1"}}').metadata).toEqual({ x: "1" });
	});

	test.each([
		["", "unexpected end of JSON"],
		["null", "expected an object"],
		['"create"', "expected an object"],
		["[]", "expected an object"],
		['{"operation":"create"', "unexpected end of JSON"],
		['{"operation":"create","data":{"a":}}', "unexpected '}', expected a value, at byte 34"],
		['{"operation":5}', '"operation" is not a string at byte 13'],
		['{"metadata":[]}', "expected an object"],
		['{"metadata":{"retain":true}}', '"retain" is not a string'],
		['{"metadata":{"x":{}}}', '"x" is not a string'],
		['{"metadata":{"__proto__":"x"}}', "not allowed"],
		['{"metadata":{"constructor":"x"}}', "not allowed"],
		['{"metadata":{"prototype":"x"}}', "not allowed"],
	])("%j is malformed", (body, message) => {
		expect(() => parse(body)).toThrow(MalformedRequestError);
		expect(() => parse(body)).toThrow(message);
	});

	test("a body that is not UTF-8 is malformed", () => {
		expect(() => parse(Buffer.from('{"data":"\xff"}', "latin1"))).toThrow("not UTF-8");
	});

	test("metadata is bounded in number and size, exactly", () => {
		const keys = (count: number) =>
			JSON.stringify({ metadata: Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, ""])) });
		expect(Object.keys(parse(keys(64)).metadata)).toHaveLength(64);
		expect(() => parse(keys(65))).toThrow("more than 64 metadata keys");
		const one = (key: string, value: string) => JSON.stringify({ metadata: { [key]: value } });
		expect(parse(one("k".repeat(128), "")).metadata).toHaveProperty("k".repeat(128));
		expect(() => parse(one("é".repeat(65), ""))).toThrow("longer than 128 bytes");
		expect(parse(one("k", "\n".repeat(65_536))).metadata.k).toHaveLength(65_536);
		expect(() => parse(one("k", "é".repeat(32_769)))).toThrow("longer than 65536 bytes");
	});

	test("P15: no request changes a prototype, whatever its keys", () => {
		const before = Object.getOwnPropertyNames(Object.prototype);
		const key = fc.oneof(
			fc.constantFrom("__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "__defineGetter__"),
			fc.string(),
		);
		const value: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
			leaf: fc.oneof(fc.string(), fc.integer(), fc.constant(null)),
			node: fc.oneof({ maxDepth: 3 }, tie("leaf"), fc.array(fc.tuple(key, tie("node")), { maxLength: 3 }).map(asJson)),
		})).node;
		const members = fc.array(fc.tuple(fc.oneof(key, fc.constantFrom("metadata", "data", "operation")), value));
		fc.assert(
			fc.property(members, (pairs) => {
				try {
					const { metadata } = parseCreateRequest(Buffer.from(asText(asJson(pairs))));
					for (const name in metadata) expect(Object.hasOwn(metadata, name)).toBe(true);
					for (const name of before) if (!Object.hasOwn(metadata, name)) expect(name in metadata).toBe(false);
				} catch (error) {
					expect(error).toBeInstanceOf(MalformedRequestError);
				}
				expect(({} as Record<string, unknown>).polluted).toBeUndefined();
				expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(before);
				expect(Object.getPrototypeOf({})).toBe(Object.prototype);
			}),
		);
	});
});

/** JSON objects as lists of members, since an object literal can't have the key `__proto__`. */
class JsonObject {
	constructor(readonly members: readonly (readonly [string, unknown])[]) {}
}

function asJson(members: readonly (readonly [string, unknown])[]): JsonObject {
	return new JsonObject(members);
}

function asText(value: unknown): string {
	if (!(value instanceof JsonObject)) return JSON.stringify(value);
	return `{${value.members.map(([key, member]) => `${JSON.stringify(key)}:${asText(member)}`).join()}}`;
}
