import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "..");

/** The oldest Node of each line that we promise to run on; for what only developers install, the lines that they use. */
const NODES = ["20.19.0", "22.13.0", "24.0.0"];

interface LockedPackage {
	readonly version?: string;
	readonly resolved?: string;
	readonly dev?: boolean;
	readonly dependencies?: Readonly<Record<string, string>>;
	readonly optionalDependencies?: Readonly<Record<string, string>>;
	readonly engines?: { readonly node?: string };
}

const manifest = readJson("package.json") as LockedPackage & { readonly devDependencies: Record<string, string> };
const { packages } = readJson("package-lock.json") as { readonly packages: Readonly<Record<string, LockedPackage>> };

describe("package-lock.json", () => {
	it("every package admits the oldest Node that we promise", () => {
		expect(manifest.engines).toEqual({ node: `>=${NODES[0]}` });
		const offenders = Object.entries(packages).flatMap(([path, { engines }]) => {
			const range = engines?.node ?? "*";
			return NODES.filter((node) => !admits(range, node)).map((node) => `${path} (${range}) refuses Node ${node}`);
		});
		expect(offenders).toEqual([]);
	});

	it("names every package that another one asks for, those for other systems as well: npm ci wants them all", () => {
		const offenders = Object.entries(packages).flatMap(([path, { dependencies, optionalDependencies }]) =>
			Object.keys({ ...dependencies, ...optionalDependencies })
				.filter((name) => find(path, name) === undefined)
				.map((name) => `${path} asks for ${name}`),
		);
		expect(offenders).toEqual([]);
	});

	it("names no registry: every machine uses its own", () => {
		expect(Object.entries(packages).filter(([, { resolved }]) => resolved !== undefined)).toEqual([]);
	});

	it("has the versions of package.json, which are exact", () => {
		for (const [name, version] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })) {
			expect(version).toMatch(/^\d+\.\d+\.\d+$/);
			expect(packages[`node_modules/${name}`]?.version, name).toBe(version);
		}
	});
});

describe("ranges of Node versions", () => {
	it.each([
		[">=20", "20.19.0", true],
		[">= 10.x", "20.19.0", true],
		["^20.19.0 || >=22.12.0", "20.19.0", true],
		["^20.19.0 || >=22.12.0", "21.0.0", false],
		["20 || >=22", "20.19.0", true],
		["6.* || 8.*", "20.19.0", false],
		["<21 >=18", "20.19.0", true],
		[">=20.19.1", "20.19.0", false],
		["*", "20.19.0", true],
	])("%s and %s: %s", (range, version, expected) => {
		expect(admits(range, version)).toBe(expected);
	});
});

function readJson(file: string): unknown {
	return JSON.parse(readFileSync(join(ROOT, file), "utf8"));
}

/** As Node finds a package: in the asking one's own folder, then in those above. */
function find(from: string, name: string): LockedPackage | undefined {
	for (let folder = from; ; folder = folder.replace(/(^|\/)node_modules\/(@[^/]+\/)?[^/]+$/, "")) {
		const found = packages[folder === "" ? `node_modules/${name}` : `${folder}/node_modules/${name}`];
		if (found !== undefined || folder === "") return found;
	}
}

/** Whether a range as packages write them in `engines` has the version in it. */
function admits(range: string, version: string): boolean {
	return range.split("||").some((alternative) =>
		[...alternative.matchAll(/(>=|<=|>|<|\^|~|)\s*v?([\d.x*]+)/g)].every(([, operator, bound]) => {
			const parts = bound!
				.split(".")
				.filter((part) => /^\d+$/.test(part))
				.map(Number);
			const given = version.split(".").map(Number);
			const difference = parts.map((part, index) => given[index]! - part).find((each) => each !== 0) ?? 0;
			switch (operator) {
				case ">=":
					return difference >= 0;
				case ">":
					return difference > 0;
				case "<=":
					return difference <= 0;
				case "<":
					return difference < 0;
				case "^":
					return difference >= 0 && given[0] === parts[0];
				case "~":
					return difference >= 0 && given[0] === parts[0] && given[1] === parts[1];
				default:
					return difference === 0;
			}
		}),
	);
}
