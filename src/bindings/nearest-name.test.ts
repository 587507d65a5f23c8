import { expect, test } from "vitest";
import { nearestName } from "./nearest-name.js";

const KNOWN = ["url", "topic", "cleanSession", "backOffMaxRetries"];

test.each([
	["clenSession", "cleanSession"],
	["CLEANSESSION", "cleanSession"],
	["backoffRetries", "backOffMaxRetries"],
	["ulr", "url"],
	["topci", "topic"],
	["x".repeat(100_000), "backOffMaxRetries"],
])("the name nearest to %.20s is %s", (name, nearest) => {
	expect(nearestName(name, KNOWN)).toBe(nearest);
});

test("no name is near where none is known", () => {
	expect(nearestName("url", [])).toBeUndefined();
});
