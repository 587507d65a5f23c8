import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Histories } from "./histories.js";
import type { Violation } from "./violation.js";

/** Stores the histories and logs in a temporary folder; returns what to say: seed, folder, the first violations with their witnesses. */
export function failureReport(
	violations: readonly Violation[],
	histories: Histories,
	logs: Readonly<Record<string, readonly string[]>>,
): string {
	const folder = mkdtempSync(join(tmpdir(), "mqtt3-binding-fault-run-"));
	writeFileSync(join(folder, "histories.json"), JSON.stringify(histories, undefined, "\t"));
	for (const [name, lines] of Object.entries(logs)) writeFileSync(join(folder, `${name}.log`), lines.join("\n"));
	const first = violations.slice(0, 5).map(({ invariant, message, witness }) => {
		return [`${invariant}: ${message}`, ...witness.map((line) => `    ${line}`)].join("\n");
	});
	return `${violations.length} violations, seed ${histories.seed}, histories in ${folder}\n${first.join("\n")}`;
}
