import { expect, test } from "vitest";
import { parseRetryAfter } from "./retry-after.js";

const now = Date.UTC(2024, 0, 1, 12, 0, 0);

test.each([
	["0", 0],
	["120", 120_000],
	[" 7 ", 7_000],
	["Mon, 01 Jan 2024 12:00:30 GMT", 30_000],
	["Mon, 01 Jan 2024 11:00:00 GMT", 0],
	["Monday, 01-Jan-24 12:00:05 GMT", 5_000],
	["Mon Jan  1 12:00:05 2024", 5_000],
	["", undefined],
	["-1", undefined],
	["1.5", undefined],
	["soon", undefined],
	["99999999999999999999", undefined],
])("Retry-After %j is %s ms", (value, expected) => {
	expect(parseRetryAfter(value, now)).toBe(expected);
});
