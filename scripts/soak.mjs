// `npm run soak -- --minutes 20 --seed 7`: everything breaks at random, and every message is followed. Default: one minute, a seed of the clock.
//   --out FOLDER   where soak.md and soak.svg go (default .tmp/soak)
import { spawnSync } from "node:child_process";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values } = parseArgs({
	options: {
		minutes: { type: "string", default: "1" },
		seed: { type: "string", default: String(Date.now() % 1_000_000) },
		out: { type: "string", default: ".tmp/soak" },
	},
});
for (const name of ["minutes", "seed"]) {
	if (Number(values[name]) > 0) continue;
	console.error(`--${name} ${values[name]}: expected a number above 0`);
	process.exit(2);
}
console.log(`seed ${values.seed}, ${values.minutes} minutes`);
const { status, signal } = spawnSync(
	process.execPath,
	[
		join(dirname(fileURLToPath(import.meta.resolve("vitest/package.json"))), "vitest.mjs"),
		...["run", "--config", "vitest.soak.config.ts"],
	],
	{
		cwd: dirname(import.meta.dirname),
		stdio: "inherit",
		env: { ...process.env, SOAK_MINUTES: values.minutes, SOAK_SEED: values.seed, SOAK_OUT: resolve(values.out) },
	},
);
if (signal) console.error(`the soak ended with ${signal}`);
process.exitCode = status ?? 1;
