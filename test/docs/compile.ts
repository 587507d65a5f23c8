import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const COMPILER = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin", "tsc");

/** Compiles the files of a folder with our compiler, strictly, declarations of packages included; returns what it complains of. */
export function compile(folder: string, files: readonly string[], flags: readonly string[]): string {
	const strict = ["--strict", "--skipLibCheck", "false", "--types", "node", "--target", "es2022", "--ignoreConfig"];
	const { stdout, error } = spawnSync(process.execPath, [COMPILER, ...strict, ...flags, ...files], {
		cwd: folder,
		encoding: "utf8",
	});
	if (error) throw error;
	return stdout;
}
