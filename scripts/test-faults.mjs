// `npm run test:faults [-- --write] [arguments of vitest]`: plays the fault matrix against what stands in dist.
// With arguments of vitest it is a part, and rows that no test played are not looked for.
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, statfsSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** What the tests use of the machine, and the Debian package that has it. */
const PROGRAMS = {
	mosquitto: "mosquitto",
	prlimit: "util-linux",
	unshare: "util-linux",
	mount: "mount",
	git: "git",
	tar: "tar",
};

const ROOT = dirname(import.meta.dirname);
const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin"];
const missing = Object.entries(PROGRAMS).filter(([name]) => !folders.some((folder) => existsSync(join(folder, name))));
for (const [name, debian] of missing) {
	console.error(`${name} is missing, and nothing may be left out: install it (Debian: apt-get install ${debian})`);
}
if (missing.length > 0) process.exit(1);

/** A mosquitto that saves each second waits for its disk: a slow one makes it silent for seconds, a fault that no test injected. */
const MEMORY = "/dev/shm";
const MEMORY_NEEDED = 512 * 1024 * 1024;

function hasMemoryFolder() {
	try {
		accessSync(MEMORY, constants.W_OK);
		const { bavail, bsize } = statfsSync(MEMORY);
		return bavail * bsize > MEMORY_NEEDED;
	} catch {
		return false;
	}
}

const args = process.argv.slice(2).filter((arg) => arg !== "--write");
const { status, signal } = spawnSync(
	process.execPath,
	[
		join(dirname(fileURLToPath(import.meta.resolve("vitest/package.json"))), "vitest.mjs"),
		"run",
		"--config",
		"vitest.faults.config.ts",
		...args,
	],
	{
		cwd: ROOT,
		stdio: "inherit",
		env: {
			...process.env,
			...(hasMemoryFolder() && { TMPDIR: MEMORY }),
			FAULTS_PARTIAL: args.length > 0 ? "1" : "0",
			FAULTS_WRITE: process.argv.includes("--write") ? "1" : "0",
		},
	},
);
if (signal) console.error(`the tests ended with ${signal}`);
process.exitCode = status ?? 1;
