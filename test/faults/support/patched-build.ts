import { cp, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tempFolder } from "../../support/temp-folder.js";

const ROOT = join(import.meta.dirname, "..", "..", "..");

/** One change to a file below `dist`. */
export interface Replacement {
	/** Such as `mqtt/inbound.js`. */
	readonly file: string;
	/** Must be there exactly once. */
	readonly from: string;
	readonly to: string;
}

/** A copy of the built program with changes, for tests that need a wrong one. Gone when disposed. */
export interface PatchedBuild extends AsyncDisposable {
	/** For `SidecarOptions.main`. */
	readonly main: string;
}

/** Copies what stands in `dist` and applies the replacements; rejects when one does not fit, as it would test nothing then. */
export async function patchedBuild(replacements: readonly Replacement[]): Promise<PatchedBuild> {
	const folder = await tempFolder();
	try {
		const dist = join(folder.path, "dist");
		await cp(join(ROOT, "dist"), dist, { recursive: true });
		await cp(join(ROOT, "package.json"), join(folder.path, "package.json"));
		await symlink(join(ROOT, "node_modules"), join(folder.path, "node_modules"));
		for (const { file, from, to } of replacements) {
			const parts = (await readFile(join(dist, file), "utf8")).split(from);
			if (parts.length !== 2) {
				throw new Error(
					`dist/${file} has the place to patch ${parts.length - 1} times, and once was expected:\n${from}`,
				);
			}
			await writeFile(join(dist, file), parts.join(to));
		}
		return { main: join(dist, "cli", "main.js"), [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
	} catch (error) {
		await folder[Symbol.asyncDispose]();
		throw error;
	}
}
