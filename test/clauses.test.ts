import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

/**
 * The numbered statements of MQTT 3.1.1 that bind a client, and how each is tested. `Y`: its behaviour. `Yc`: at the level of bytes.
 * `Y0`: that it can't arise, or is refused. `Yf`: with the feature that it belongs to.
 */
const CLAUSES: Readonly<Record<string, "Y" | "Yc" | "Y0" | "Yf">> = {
	"1.5.3-1": "Y",
	"1.5.3-2": "Y",
	"1.5.3-3": "Yc",
	"2.2.2-1": "Yc",
	"2.2.2-2": "Y",
	"2.3.1-1": "Y",
	"2.3.1-2": "Y",
	"2.3.1-3": "Y",
	"2.3.1-5": "Yc",
	"2.3.1-6": "Y",
	"3.1.0-1": "Y",
	"3.1.0-2": "Y",
	"3.1.2-3": "Yc",
	"3.1.2-4": "Y",
	"3.1.2-6": "Y",
	"3.1.2-9": "Yf",
	"3.1.2-11": "Yc",
	"3.1.2-13": "Yc",
	"3.1.2-14": "Yc",
	"3.1.2-15": "Yc",
	"3.1.2-18": "Yc",
	"3.1.2-19": "Yc",
	"3.1.2-20": "Yc",
	"3.1.2-21": "Yc",
	"3.1.2-22": "Yc",
	"3.1.2-23": "Y",
	"3.1.3-1": "Yc",
	"3.1.3-2": "Y",
	"3.1.3-3": "Yc",
	"3.1.3-4": "Y",
	"3.1.3-7": "Y0",
	"3.1.3-10": "Yf",
	"3.1.3-11": "Y",
	"3.3.1-1": "Y",
	"3.3.1-2": "Yc",
	"3.3.1-4": "Y",
	"3.3.2-1": "Yc",
	"3.3.2-2": "Y",
	"3.3.4-1": "Y",
	"3.6.1-1": "Yc",
	"3.8.1-1": "Yc",
	"3.8.3-1": "Y",
	"3.8.3-3": "Y",
	"3.8.3-4": "Yc",
	"3.10.1-1": "Yc",
	"3.10.3-1": "Yc",
	"3.10.3-2": "Yc",
	"3.14.1-1": "Yc",
	"3.14.4-1": "Y",
	"3.14.4-2": "Y",
	"4.1.0-1": "Y",
	"4.1.0-2": "Y",
	"4.3.1-1": "Yc",
	"4.3.2-1": "Y",
	"4.3.2-2": "Y",
	"4.3.3-1": "Yf",
	"4.3.3-2": "Y",
	"4.4.0-1": "Y",
	"4.5.0-2": "Y",
	"4.6.0-1": "Y",
	"4.6.0-2": "Y",
	"4.6.0-3": "Y",
	"4.6.0-4": "Y",
	"4.7.1-1": "Y",
	"4.7.1-2": "Y",
	"4.7.1-3": "Y",
	"4.7.3-1": "Y",
	"4.7.3-2": "Y",
	"4.7.3-3": "Y",
	"4.8.0-1": "Y",
	"4.8.0-2": "Y",
	"6.0.0-1": "Yf",
	"6.0.0-2": "Yf",
	"6.0.0-3": "Yf",
	"7.0.0-2": "Y",
	"7.1.2-1": "Y",
};

const ROOT = join(import.meta.dirname, "..");
/** A name begins with the statements that its test keeps; what is written elsewhere in a text is no promise. */
const NAME_START = /["'`]((?:\[MQTT-[\d.]+-\d+\] ?)+)/g;

describe("each statement that binds a client", () => {
	it("is named in src/mqtt where it is kept", () => {
		const mentioned = mentions(files("src/mqtt", (path) => !path.endsWith(".test.ts")));
		expect(missingFrom(mentioned)).toEqual([]);
	});

	it("stands in the name of a test", () => {
		const isTest = (path: string) => path.endsWith(".test.ts");
		const names = [...files("src", isTest), ...files("test", isTest)].flatMap((text) =>
			Array.from(text.matchAll(NAME_START), ([, clauses = ""]) => clauses),
		);
		expect(missingFrom(mentions(names))).toEqual([]);
	});
});

describe("the list of statements", () => {
	it("holds all 76, in the order of the standard", () => {
		const ids = Object.keys(CLAUSES);
		expect(ids).toHaveLength(76);
		expect(ids).toEqual(ids.toSorted((a, b) => a.localeCompare(b, "en", { numeric: true })));
	});
});

/** The TypeScript files below a folder, as text. */
function files(folder: string, isWanted: (path: string) => boolean): string[] {
	return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
		.filter((path) => path.endsWith(".ts") && isWanted(path))
		.map((path) => readFileSync(join(ROOT, folder, path), "utf8"));
}

function mentions(texts: readonly string[]): ReadonlySet<string> {
	return new Set(texts.flatMap((text) => Array.from(text.matchAll(/\bMQTT-([\d.]+-\d+)\b/g), ([, id = ""]) => id)));
}

function missingFrom(found: ReadonlySet<string>): string[] {
	return Object.entries(CLAUSES).flatMap(([id, how]) => (found.has(id) ? [] : [`MQTT-${id} (${how})`]));
}
