import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { LinePrefixer } from "./line-prefixer.js";

async function prefixed(...chunks: (string | Buffer)[]): Promise<string> {
	const source = new PassThrough();
	const result = text(source.pipe(new LinePrefixer("> ")));
	for (const chunk of chunks) source.write(chunk);
	source.end();
	return result;
}

describe("LinePrefixer", () => {
	it("each line gets the mark, however the chunks are cut", async () => {
		expect(await prefixed("on", "e\ntw", "o\n", "\nfour\n")).toBe("> one\n> two\n> \n> four\n");
	});

	it("a last line without its end is ended", async () => {
		expect(await prefixed("one\ntwo")).toBe("> one\n> two\n");
	});

	it("a character that is cut in two chunks stays whole", async () => {
		const bytes = Buffer.from("é\n");
		expect(await prefixed(bytes.subarray(0, 1), bytes.subarray(1))).toBe("> é\n");
	});

	it("a line without end is broken up instead of kept in memory", async () => {
		const result = await prefixed("x".repeat(150_000), "\n");
		expect(result.split("\n").map((line) => line.length)).toEqual([65_538, 65_538, 150_000 - 2 * 65_536 + 2, 0]);
		expect(await prefixed("x".repeat(65_536), "\n")).toBe(`> ${"x".repeat(65_536)}\n`);
	});

	it("nothing becomes nothing", async () => {
		expect(await prefixed()).toBe("");
	});
});
