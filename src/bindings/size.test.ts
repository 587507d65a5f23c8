import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatSize, parseSize } from "./size.js";

describe("a size", () => {
	test.each([
		["4Mi", 4_194_304],
		["64Mi", 67_108_864],
		["1G", 1_000_000_000],
		["1k", 1_000],
		["1.1k", 1_100],
		["1.5Ki", 1_536],
		["1Gi", 1_073_741_824],
		["123", 123],
		["0", 0],
		[" 4Mi\n", 4_194_304],
	])("%j is %j bytes", (text, expected) => {
		expect(parseSize(text)).toBe(expected);
	});

	test.each(["", "Mi", "4 Mi", "4MB", "4MiB", "4mi", "-1", "0.1", "1e6", "many", "9000000Ti"])("%j is none", (text) => {
		expect(parseSize(text)).toBeUndefined();
	});

	test("is read back as it was written", () => {
		fc.assert(
			fc.property(fc.maxSafeNat(), (bytes) => {
				expect(parseSize(formatSize(bytes))).toBe(bytes);
			}),
		);
		expect(formatSize(4_194_304)).toBe("4Mi");
		expect(formatSize(1_000)).toBe("1000");
	});
});
