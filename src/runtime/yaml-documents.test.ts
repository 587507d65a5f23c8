import { describe, expect, it } from "vitest";
import { readYamlDocuments, type YamlDocument } from "./yaml-documents.js";

function read(text: string): unknown[] {
	return [...readYamlDocuments(text)].map((document) => ("problem" in document ? document : document.content));
}

function readOne(text: string): YamlDocument {
	const [document] = readYamlDocuments(text);
	if (document === undefined || "problem" in document) throw new Error(document?.problem ?? "no document");
	return document;
}

describe("readYamlDocuments", () => {
	it.each([
		["yes", true],
		["On", true],
		["y", true],
		["no", false],
		["off", false],
		["0123", 83n],
		["1_000", 1000n],
		["0x10", 16n],
		["12345678901234567890", 12345678901234567890n],
		["1.0", 1],
		["~", null],
		["2001-01-01", "2001-01-01"],
		["1:30", "1:30"],
		['"yes"', "yes"],
		["!!str yes", "yes"],
	])("reads %s as YAML 1.1 does", (written, value) => {
		expect(readOne(`a: ${written}\n`).content).toEqual(new Map([["a", value]]));
	});

	it("reads several documents, whatever follows the markers", () => {
		const text = "a: 1\n--- # second\nb: 2\n---\r\nc: 3\n---\n\n# nothing\n--- {d: 4}\n...\ne: 5\n";
		expect(read(text)).toEqual([..."abcde"].map((key, index) => new Map([[key, BigInt(index + 1)]])));
	});

	it("knows the lines of each document's fields, in any case of their names", () => {
		const documents = [
			...readYamlDocuments("# first\na: 1\n---\n# second\nb:\n  - C: 1\n    d: 2\n"),
		] as YamlDocument[];
		expect(documents[0]!.line([])).toBe(2);
		expect(documents[1]!.line([])).toBe(5);
		expect(documents[1]!.line(["B", 0, "D"])).toBe(7);
		expect(documents[1]!.line(["b", 0, "missing", "x"])).toBe(6);
		expect(documents[1]!.line(["b", 7])).toBe(5);
	});

	it("counts lines that end in CR LF", () => {
		const documents = [...readYamlDocuments("a: 1\r\n---\r\nb: 2\r\nc: 3\r\n")] as YamlDocument[];
		expect(documents[1]!.line(["c"])).toBe(4);
	});

	it("keeps a directive with the document behind its marker", () => {
		expect(read("# head\n%YAML 1.1\n---\na: on\n---\n{\n---\nb: off\n")).toEqual([
			new Map([["a", true]]),
			{ line: 6, problem: expect.any(String) },
			new Map([["b", false]]),
		]);
	});

	it.each([
		["an open quote", 'a: "open\n', 1],
		["an open list", "a: [1,\n", 1],
		["a tab", "a:\n\tb: 1\n", 2],
		["a list that becomes a map", "- a\nb: 1\n", 2],
	])("%s leaves the other documents alone", (_name, broken, line) => {
		expect(read(`a: 1\n---\n${broken}---\nc: 3\n`)).toEqual([
			new Map([["a", 1n]]),
			{ line: 2 + line, problem: expect.any(String) },
			new Map([["c", 3n]]),
		]);
	});

	it.each([
		["a: 1\nb: 2\na: 3\n", 3, 'the key "a" is there twice'],
		["a:\n  - {b: 1, b: 2}\n", 2, 'the key "b" is there twice'],
		["a: 1\nb: *x\n", 2, "an alias without an anchor before it"],
		["a: &x\n  - *x\n", 2, "an alias inside its own anchor"],
		["a: b: c\n", 1, "nested mappings are not allowed in compact mappings"],
		['a: "s3cret"s3cret\n', 1, "text that fits nowhere"],
		["a: ] s3cret\n", 1, "text that fits nowhere"],
		["a: [s3cret\n", 1, expect.not.stringContaining("s3cret")],
		["a: @s3cret\n", 1, "plain value cannot start with reserved character @"],
		["s3cret\nb: 1\n", 1, expect.not.stringContaining("s3cret")],
	])("refuses %j with the line and without its values", (text, line, problem) => {
		expect(read(text)).toEqual([{ line, problem }]);
	});

	it("takes aliases and merge keys", () => {
		const { content } = readOne("a: &x {b: 1}\nc: *x\nd: {<<: *x, e: 2}\n");
		const x = new Map([["b", 1n]]);
		expect(content).toEqual(new Map([["a", x], ["c", x], ["d", new Map([...x, ["e", 2n]])]])); // biome-ignore format: one line
	});

	it.each([
		["1 MiB of open brackets", `a: ${"[".repeat(1 << 20)}`, "nested too deeply"],
		["1 MiB of dashes", "- ".repeat(1 << 19), "nested too deeply"],
		["1 MiB of closing brackets", "] ".repeat(1 << 19), "text that fits nowhere"],
		["a long comment before an open bracket", `${"# ".repeat(10_000)}\n---\n{`, "flow map must end with a }"],
		["101 aliases", `a: &x 1\nb: [${Array(101).fill("*x").join(",")}]`, "more than 100 aliases"],
		["nested aliases", bomb(), "its aliases expand to too much"],
	])("stops at %s", (_name, text, problem) => {
		expect(read(text)).toEqual([{ line: expect.any(Number), problem }]);
	});

	it("stops after 1,000 documents", () => {
		const documents = read("---\na: 1\n".repeat(1_001));
		expect(documents).toHaveLength(1_001);
		expect(documents.at(-1)).toEqual({ line: 2001, problem: "more than 1000 documents in one file" });
	});
});

function bomb(): string {
	const letters = [..."abcdefgh"];
	const levels = letters.slice(1).map((letter, index) => {
		const below = `*${letters[index]}`;
		return `${letter}: &${letter} [${Array(9).fill(below).join(",")}]\n`;
	});
	return `a: &a [${Array(9).fill("x").join(",")}]\n${levels.join("")}`;
}
