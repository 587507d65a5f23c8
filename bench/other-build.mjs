// The build of another commit, in a temporary folder.
import { execFileSync } from "node:child_process";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "..");
const git = (...args) => execFileSync("git", args, { cwd: ROOT, maxBuffer: 2 ** 30 });

/** Checks `commit` out and builds it; the modules of this checkout serve when both want the same ones. */
export async function buildOther(commit) {
	const name = git("log", "-1", "--format=%h %s", commit).toString().trim();
	const folder = await mkdtemp(join(tmpdir(), "bench-against-"));
	const remove = () => rm(folder, { recursive: true });
	try {
		execFileSync("tar", ["-x", "-C", folder], { input: git("archive", commit) });
		const lockfileId = (at) => git("rev-parse", `${at}:package-lock.json`).toString();
		const sameModules =
			lockfileId(commit) === lockfileId("HEAD") && git("status", "--porcelain", "package-lock.json").length === 0;
		if (sameModules) await symlink(join(ROOT, "node_modules"), join(folder, "node_modules"));
		else execFileSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: folder, stdio: "ignore" });
		execFileSync("npm", ["run", "--silent", "build"], { cwd: folder, stdio: ["ignore", "inherit", "inherit"] });
	} catch (error) {
		await remove();
		throw error;
	}
	return { name, dist: join(folder, "dist"), remove };
}
