import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const SRC = resolve(import.meta.dirname, "../src");

/** What each folder of src may import, besides itself and errors.ts. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
	mqtt: [],
	broker: [],
	sockets: [],
	gen: [],
	grpc: ["gen"],
	bindings: ["mqtt"],
	secretstores: ["bindings/binding.ts"],
	resiliency: [],
	runtime: ["bindings", "secretstores", "resiliency", "gen"],
	api: ["runtime", "bindings/binding.ts", "sockets", "grpc", "gen"],
	pluggable: ["bindings", "sockets", "grpc", "gen"],
	diagnostics: ["runtime/runtime.ts", "bindings/binding.ts", "mqtt/report.ts"],
	cli: ["api", "pluggable", "runtime", "bindings", "secretstores", "broker", "diagnostics", "mqtt"],
	"index.ts": ["bindings", "mqtt"],
};

/** Packages that only one part may load. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
	mqtt: ["ws"],
	broker: ["aedes", "ws"],
	sockets: [],
	gen: ["@bufbuild/protobuf", "@grpc/grpc-js"],
	grpc: ["@bufbuild/protobuf", "@grpc/grpc-js", "@grpc/reflection"],
	bindings: [],
	secretstores: ["@kubernetes/client-node", "undici"],
	resiliency: ["@marcbachmann/cel-js"],
	runtime: ["@grpc/grpc-js", "undici", "yaml", "zod"],
	api: ["@grpc/grpc-js", "fastify"],
	pluggable: ["@grpc/grpc-js"],
	diagnostics: ["pino", "prom-client"],
	cli: ["commander", "mqtt-packet", "zod"],
	"index.ts": [],
};

const files = readdirSync(SRC, { recursive: true, encoding: "utf8" })
	.filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
	.sort();

/** Specifiers of static and dynamic imports and re-exports. */
function importsOf(file: string): readonly string[] {
	const text = readFileSync(join(SRC, file), "utf8");
	return [...text.matchAll(/(?:\bfrom\s+|\bimport\s*\(\s*|^import\s+)"([^"]+)"/gm)].map(([, specifier]) => specifier!);
}

function partOf(file: string): string {
	return file.split("/")[0]!;
}

describe("the direction of imports", () => {
	it("is that of the layers, file by file", () => {
		const offenders: string[] = [];
		for (const file of files) {
			const part = partOf(file);
			for (const specifier of importsOf(file)) {
				if (specifier.startsWith("node:")) continue;
				if (!specifier.startsWith(".")) {
					const name = specifier
						.split("/")
						.slice(0, specifier.startsWith("@") ? 2 : 1)
						.join("/");
					if (!PACKAGES[part]?.includes(name)) offenders.push(`${file} imports package ${name}`);
					continue;
				}
				const target = relative(SRC, resolve(SRC, dirname(file), specifier)).replace(/\.js$/, ".ts");
				if (target === "errors.ts" || partOf(target) === part) continue;
				if (!ALLOWED[part]?.some((allowed) => target === allowed || partOf(target) === allowed)) {
					offenders.push(`${file} imports ${target}`);
				}
			}
		}
		expect(offenders).toEqual([]);
	});

	it("knows every folder", () => {
		const parts = new Set(files.map(partOf));
		parts.delete("errors.ts");
		expect([...parts].filter((part) => !(part in ALLOWED))).toEqual([]);
	});

	it("finds imports at all", () => {
		expect(importsOf("index.ts").length).toBeGreaterThan(3);
		expect(importsOf("mqtt/client.ts")).toContain("../errors.js");
	});
});

describe("what belongs to the command line", () => {
	it("process.env, process.exit, process.argv and signals are used nowhere else", () => {
		const offenders = files
			.filter((file) => partOf(file) !== "cli")
			.filter((file) => /\bprocess\.(env|exit|argv|on|once|kill)\b/.test(readFileSync(join(SRC, file), "utf8")));
		expect(offenders).toEqual([]);
	});

	it("no layer below logs to the console", () => {
		const offenders = files
			.filter((file) => partOf(file) !== "cli")
			.filter((file) => /\bconsole\./.test(readFileSync(join(SRC, file), "utf8")));
		expect(offenders).toEqual([]);
	});
});
