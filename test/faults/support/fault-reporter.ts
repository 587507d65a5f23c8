import { writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import type { Reporter, TestCase, TestModule } from "vitest/node";
import type { FaultResult } from "./fault.js";
import { faultsDocument, type PlayedFault } from "./faults-document.js";
import { matrix, mustBePlayed } from "./matrix.js";

/** Second plays in one run (docs/decisions/0018). */
const MOST_SECOND_PLAYS = 3;

const ROOT = join(import.meta.dirname, "..", "..", "..");

/** How a run is reported. */
export interface FaultReporterOptions {
	/** Only some of the tests run: rows without a test are no fault then. */
	readonly partial: boolean;
	/** Write docs/faults.md when all is well. */
	readonly write: boolean;
}

/** Fails the run when a row that must be played was played by no passing test, and writes docs/faults.md. */
export class FaultReporter implements Reporter {
	readonly #options: FaultReporterOptions;
	#startedAt = 0;

	constructor(options: FaultReporterOptions) {
		this.#options = options;
	}

	onTestRunStart(): void {
		this.#startedAt = performance.now();
	}

	onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
		const tests = modules.flatMap((module) => [...module.children.allTests()]);
		const broken = tests.filter((test) => test.result().state === "failed").length + errors.length;
		const passed = tests.flatMap((test) => (test.result().state === "passed" ? played(test) : []));
		const rows = new Set(passed.flatMap(({ rows }) => rows));
		const missing = matrix.filter((row) => mustBePlayed(row) && !rows.has(row.id)).map(({ id }) => id);
		const seconds = Math.round((performance.now() - this.#startedAt) / 1000);
		const wanted = matrix.filter(mustBePlayed).length;
		console.log(`faults: ${tests.length} tests, ${wanted - missing.length} of ${wanted} rows played, ${seconds} s`);
		const twice = passed.filter(({ missed }) => missed !== undefined);
		for (const { sentence, rows, missed } of twice) {
			console.log(`faults: played twice: ${rows.join(", ")}: ${sentence} (at first: ${missed!.split("\n")[0]})`);
		}
		const tooOften = twice.length > MOST_SECOND_PLAYS;
		if (tooOften) this.#fail(`${twice.length} tests were played twice, at most ${MOST_SECOND_PLAYS} may be`);
		const skipped = tests.filter((test) => test.result().state === "skipped").length;
		if (this.#options.partial) {
			console.log("only a part was run: rows that no test played were not looked for");
			return;
		}
		if (skipped > 0) this.#fail(`${skipped} tests were left out; nothing may be`);
		if (missing.length > 0) this.#fail(`no passing test played ${missing.join(", ")}`);
		if (!this.#options.write) return;
		const failed = tooOften || broken + skipped + missing.length > 0;
		if (!failed) writeFileSync(join(ROOT, "docs", "faults.md"), faultsDocument(matrix, passed));
		console.log(failed ? "docs/faults.md was not written: the run failed" : "wrote docs/faults.md");
	}

	#fail(message: string): void {
		console.error(`faults: ${message}`);
		process.exitCode = 1;
	}
}

function played(test: TestCase): PlayedFault[] {
	const { fault } = test.meta() as { fault?: FaultResult };
	return fault ? [{ ...fault, file: relative(ROOT, test.module.moduleId).replaceAll("\\", "/") }] : [];
}
