import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { soak } from "./soak.js";
import { soakPicture } from "./soak-picture.js";
import { soakReport } from "./soak-report.js";

const { SOAK_MINUTES, SOAK_SEED, SOAK_OUT } = process.env;

test("nothing is lost while everything breaks", { timeout: 0 }, async () => {
	const result = await soak({
		minutes: Number(SOAK_MINUTES),
		seed: Number(SOAK_SEED),
		onProgress: (line) => console.log(line),
	});
	const report = soakReport(result);
	mkdirSync(SOAK_OUT!, { recursive: true });
	writeFileSync(join(SOAK_OUT!, "soak.svg"), soakPicture(result));
	writeFileSync(join(SOAK_OUT!, "soak.md"), report);
	console.log(`\n${report}\nin ${SOAK_OUT}: soak.md, soak.svg`);
	if (result.violations.count > 0) writeFileSync(join(SOAK_OUT!, "soak.log"), `${result.log.join("\n")}\n`);
	expect(result.violations.first).toEqual([]);
});
