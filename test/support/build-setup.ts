import { spawnSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const ROOT = dirname(dirname(import.meta.dirname));

/** Before the first test that starts our program: builds it when the sources are newer than what stands in `dist`. */
export function setup(): void {
	if (newest("src", ".ts") <= newest("dist", ".tsbuildinfo")) return;
	const started = performance.now();
	const compiler = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin", "tsc");
	const { status, stdout } = spawnSync(process.execPath, [compiler, "-p", "tsconfig.build.json"], {
		cwd: ROOT,
		encoding: "utf8",
	});
	const faults = stdout.split("\n").filter((line) => line.includes("error TS"));
	const result = status === 0 ? "" : `, with ${faults.length} errors, the first: ${faults[0] ?? stdout.trim()}`;
	console.log(`dist was older than src: built in ${Math.round(performance.now() - started)} ms${result}`);
}

/** When a file below `folder` whose name ends in `extension` was last changed; 0 when there is none. Tests are not built. */
function newest(folder: string, extension: string): number {
	try {
		return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
			.filter((file) => file.endsWith(extension) && !file.endsWith(".test.ts"))
			.reduce((latest, file) => Math.max(latest, statSync(join(ROOT, folder, file)).mtimeMs), 0);
	} catch {
		return 0;
	}
}
