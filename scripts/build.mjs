// Compiles src into dist, and takes out of dist what no source stands for any more. Files that did not change are not touched,
// so that a program that runs from dist goes on while it is built again.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = dirname(import.meta.dirname);
const DIST = join(ROOT, "dist");
const STATE = join(DIST, ".tsbuildinfo");
const OUTPUTS = [".js", ".d.ts"];

const sources = filesBelow(join(ROOT, "src"))
	.filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
	.map((file) => file.slice(0, -".ts".length));
const expected = new Set(sources.flatMap((name) => OUTPUTS.map((extension) => name + extension)));

// The compiler trusts its notes: what somebody deleted would stay missing.
if ([...expected].some((file) => !existsSync(join(DIST, file)))) rmSync(STATE, { force: true });

const compiler = join(dirname(fileURLToPath(import.meta.resolve("typescript/package.json"))), "bin", "tsc");
const { status } = spawnSync(process.execPath, [compiler, "-p", join(ROOT, "tsconfig.build.json")], {
	stdio: "inherit",
});

for (const file of filesBelow(DIST)) {
	if (file !== ".tsbuildinfo" && !expected.has(file)) rmSync(join(DIST, file));
}
process.exitCode = status ?? 1;

/** Paths below `folder`, with slashes. */
function filesBelow(folder) {
	if (!existsSync(folder)) return [];
	return readdirSync(folder, { recursive: true, withFileTypes: true })
		.filter((entry) => !entry.isDirectory())
		.map((entry) =>
			join(entry.parentPath, entry.name)
				.slice(folder.length + 1)
				.replaceAll("\\", "/"),
		);
}
