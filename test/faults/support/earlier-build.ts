import { spawnSync } from "node:child_process";
import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { tempFolder } from "../../support/temp-folder.js";
import type { PatchedBuild } from "./patched-build.js";

const ROOT = join(import.meta.dirname, "..", "..", "..");
/** Commits that are looked at. */
const DEPTH = 30;

/** The program of another commit. */
export interface EarlierBuild extends PatchedBuild {
	/** Short, with its subject. */
	readonly commit: string;
}

/** Builds the newest commit whose `src` differs from that of HEAD and that needs the same packages; rejects with the reason when there is none. */
export async function earlierBuild(): Promise<EarlierBuild> {
	const commit = findCommit();
	const folder = await tempFolder();
	try {
		const archive = run("git", ["archive", "--format=tar", commit], ROOT);
		run("tar", ["-x", "-C", folder.path], ROOT, archive);
		await symlink(join(ROOT, "node_modules"), join(folder.path, "node_modules"));
		run(process.execPath, ["scripts/build.mjs"], folder.path);
		return {
			main: join(folder.path, "dist", "cli", "main.js"),
			commit: run("git", ["log", "-1", "--format=%h %s", commit], ROOT).toString().trim(),
			[Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
		};
	} catch (error) {
		await folder[Symbol.asyncDispose]();
		throw error;
	}
}

function findCommit(): string {
	const commits = run("git", ["rev-list", "--first-parent", `--max-count=${DEPTH}`, "HEAD"], ROOT)
		.toString()
		.split("\n")
		.filter(Boolean);
	const [head, ...earlier] = commits;
	if (head === undefined || earlier.length === 0) {
		throw new Error(
			`an upgrade needs the commit before, and this checkout has ${commits.length} (git fetch --deepen=${DEPTH})`,
		);
	}
	const object = (commit: string, path: string) => run("git", ["rev-parse", `${commit}:${path}`], ROOT).toString();
	const fits = earlier.filter((commit) => object(commit, "package-lock.json") === object(head, "package-lock.json"));
	// Where nothing fits, today's packages must do for the commit before.
	return fits.find((commit) => object(commit, "src") !== object(head, "src")) ?? fits.at(-1) ?? earlier[0]!;
}

function run(command: string, args: readonly string[], cwd: string, input?: Buffer): Buffer {
	const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, input, maxBuffer: 256 * 1024 * 1024 });
	if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${error?.message ?? String(stderr)}`);
	return stdout;
}
