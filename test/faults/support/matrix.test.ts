import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { faultsDocument } from "./faults-document.js";
import { matrix, mustBePlayed } from "./matrix.js";

const FAULTS = join(import.meta.dirname, "..");

test("every fault and every scenario stands in the matrix once", () => {
	const numbers = (count: number) => Array.from({ length: count }, (_, index) => index + 1);
	const ids = [
		...numbers(95).map((number) => `F-${String(number).padStart(2, "0")}`),
		...numbers(54).map((number) => `S-${number}`),
	];
	expect(matrix.map(({ id }) => id)).toEqual(ids);
});

test("a row stands apart for one reason only, and says it in words", () => {
	for (const { id, later, notApplicable, partly } of matrix) {
		const reasons = [later, notApplicable].filter((reason) => reason !== undefined);
		expect(reasons.length, id).toBeLessThanOrEqual(1);
		expect(reasons.join("").length > 10 || (reasons.length === 0 && !partly), id).toBe(true);
	}
});

test("the tests of faults name rows of the matrix", () => {
	const known = new Set(matrix.map(({ id }) => id));
	const named = readdirSync(FAULTS, { recursive: true, encoding: "utf8" })
		.filter((file) => file.endsWith(".test.ts") && !file.startsWith("support"))
		.flatMap((file) => [...readFileSync(join(FAULTS, file), "utf8").matchAll(/rows: \[([^\]]*)\]/g)])
		.flatMap(([, list]) => [...list!.matchAll(/"([^"]+)"/g)].map(([, id]) => id!));
	expect(named.filter((id) => !known.has(id))).toEqual([]);
});

test("the document has a line for each test of a row, and one for each row that stands apart", () => {
	const document = faultsDocument(matrix, [
		{
			rows: ["F-22", "S-15"],
			injected: "a | b",
			scale: "small",
			sentence: "it works",
			seen: ["one", "two"],
			file: "test/faults/output/x.test.ts",
		},
	]);
	expect(document).toContain("a \\| b (scale: small)");
	expect(document).toContain("| one; two | [it works](../test/faults/output/x.test.ts) |");
	expect(document.match(/^\| (F-22|S-15) \|/gm)).toHaveLength(2);
	for (const row of matrix)
		expect(document.includes(`| ${row.id} |`)).toBe(row.id === "F-22" || row.id === "S-15" || isApart(row));
});

function isApart(row: (typeof matrix)[number]): boolean {
	return !mustBePlayed(row) || row.partly === true;
}
