import { describe, expect, it } from "vitest";
import { encodePayload } from "./payload-encoding.js";

const encode = (text: string, encoding: "json" | "utf8" | "base64") => {
	const result = encodePayload(Buffer.from(text), encoding);
	return typeof result === "string" ? result : Buffer.from(result).toString("latin1");
};

describe("encoding json", () => {
	it.each(['"text"', '{ "b": 1, "a": 12345678901234567890 }', "null", "not JSON at all", '"<"'])(
		"publishes %s as it stands",
		(text) => {
			expect(encode(text, "json")).toBe(text);
		},
	);
});

describe("encoding utf8 publishes", () => {
	it.each([
		["the bare text of a JSON string", '"hello"', "hello"],
		["its escapes resolved", '"a\\n\\u00e9\\""', 'a\n\u00c3\u00a9"'],
		["an empty string as nothing", '""', ""],
		["pairs of surrogates as one character", '"\\ud83d\\ude00"', "\u00f0\u009f\u0098\u0080"],
	])("%s", (_, data, expected) => {
		expect(encode(data, "utf8")).toBe(expected);
	});
});

describe("encoding base64 publishes", () => {
	it.each([
		["the decoded bytes", '"aGVsbG8="', "hello"],
		["bytes that are no text", '"/+8A"', "\u00ff\u00ef\u0000"],
		["the same without padding", '"aGVsbG8"', "hello"],
		["two padding characters", '"aA=="', "h"],
		["nothing", '""', ""],
	])("%s", (_, data, expected) => {
		expect(encode(data, "base64")).toBe(expected);
	});

	it("megabytes of it, right or wrong", () => {
		const bytes = Buffer.alloc(12 * 1_048_576, "x");
		const text = bytes.toString("base64");
		expect(bytes.equals(encodePayload(Buffer.from(JSON.stringify(text)), "base64") as Uint8Array)).toBe(true);
		expect(encode(JSON.stringify(`${text}!`), "base64")).toBe("data is not base64");
	});
});

describe("no data", () => {
	it.each(["json", "utf8", "base64"] as const)(
		"is an empty payload with encoding %s, which clears a retained message",
		(encoding) => {
			expect(encode("", encoding)).toBe("");
		},
	);
});

describe("refused in words:", () => {
	it.each([
		["utf8", "{", "data is not JSON"],
		["utf8", "{}", "data must be a JSON string"],
		["utf8", "12", "data must be a JSON string"],
		["base64", "null", "data must be a JSON string"],
		["utf8", '"\\ud83d"', "data holds half of a surrogate pair, which UTF-8 can't express"],
		["base64", '"a"', "data is not base64"],
		["base64", '"aGVsbG8=="', "data is not base64"],
		["base64", '"aGVs bG8="', "data is not base64"],
		["base64", '"aGVsbG8-"', "data is not base64"],
		["base64", '"a="', "data is not base64"],
		["base64", '"===="', "data is not base64"],
		["base64", '"aA==aA=="', "data is not base64"],
	] as const)("encoding %s, data %s: %s", (encoding, data, reason) => {
		expect(encode(data, encoding)).toBe(reason);
	});

	it("bytes that are not UTF-8 and would become others", () => {
		expect(encodePayload(Buffer.of(0x22, 0xff, 0x22), "utf8")).toBe("data is not UTF-8");
	});
});
