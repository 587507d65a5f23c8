import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..", "..");
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");

/** Where reasons are made. */
const SOURCES = [
	"src/bindings/mqtt3-health.ts",
	"src/bindings/mqtt3-binding.ts",
	"src/runtime/app-inputs.ts",
	"src/runtime/input-starter.ts",
	"src/runtime/runtime.ts",
];
const REPORTED_ONLY = new Set(["event-loop-blocked", "input-reading", "stalled-no-more"]);

/** What looks like the code of a reason: an argument, a property, or one of two. */
const CODE = /(?:\b(?:blocking|worthKnowing)\(\s*|\bcode: |\bcode = .*? \? |(?<=\bcode = .*? : ))"([a-z-]+)"/g;

test("docs/reference/readiness.md names every code of a reason, and no other", () => {
	const made = new Set(SOURCES.flatMap((path) => [...read(path).matchAll(CODE)].map(([, code]) => code!)));
	const named = [...read("docs/reference/readiness.md").matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, code]) => code!);
	expect(named.toSorted()).toEqual([...made].filter((code) => !REPORTED_ONLY.has(code)).toSorted());
});
