import { expect, it } from "vitest";
import { toPropertyText } from "./property-text.js";

it.each([
	["text", "text"],
	["", ""],
	["yes", "yes"],
	[true, "true"],
	[5n, "5"],
	[12345678901234567890n, "12345678901234567890"],
	[1.0, "1"],
	[0.5, "0.5"],
	[[], "[]"],
	[["a/b", 1n, false, null], '["a/b",1,false,null]'],
	[new Map<unknown, unknown>([["a", new Map([["b", "\"é<"]])], [1n, 1.5]]), '{"a":{"b":"\\"é<"},"1":1.5}'], // biome-ignore format: one line
	[new Map([["__proto__", new Map()]]), '{"__proto__":{}}'],
	[Buffer.from("é"), "é"],
	[null, undefined],
])("the YAML value %s becomes the text that Dapr gives a component", (value, text) => {
	expect(toPropertyText(value)).toEqual({ text });
});

it.each([[Number.POSITIVE_INFINITY], [Number.NaN], [[Number.NaN]], [Buffer.from([0xff])], [new Map([[["a"], 1]])]])(
	"%s has no text",
	(value) => {
		expect(toPropertyText(value)).toEqual({
			reason: "is not usable, expected text, a finite number, true, false, a list or a map",
		});
	},
);
