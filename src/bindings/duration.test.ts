import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatDuration, parseDuration } from "./duration.js";

describe("a duration", () => {
	test.each([
		["5s", 5_000],
		["1m30s", 90_000],
		["250ms", 250],
		["1.5h", 5_400_000],
		["1.1s", 1_100],
		["2500us", undefined],
		["3000us", 3],
		["3000µs", 3],
		["1000000ns", 1],
		["30", 30_000],
		["0.5", 500],
		["0", 0],
		[" 5s\n", 5_000],
	])("%j is %j milliseconds", (text, expected) => {
		expect(parseDuration(text)).toBe(expected);
	});

	test.each([
		"",
		"s",
		"5 s",
		"-5s",
		"+5s",
		"5d",
		"1e3",
		"5S",
		"soon",
		"5s!",
		".",
		"1..5s",
		"Infinity",
		"NaN",
		"9".repeat(400),
	])("%j is none", (text) => {
		expect(parseDuration(text)).toBeUndefined();
	});

	test("is read back as it was written", () => {
		fc.assert(
			fc.property(fc.nat(86_400_000 * 30), (milliseconds) => {
				expect(parseDuration(formatDuration(milliseconds))).toBe(milliseconds);
			}),
		);
		expect(formatDuration(90_000)).toBe("1m30s");
		expect(formatDuration(0)).toBe("0s");
	});
});
