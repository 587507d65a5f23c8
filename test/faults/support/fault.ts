import { expect, test } from "vitest";
import { isMissedWait } from "../../support/missed-wait.js";
import { matrix } from "./matrix.js";

/** What a test plays. */
export interface FaultDescription {
	/** Rows of the matrix: `F-22`, `S-15`. */
	readonly rows: readonly string[];
	/** What is done to whom. */
	readonly injected: string;
	/** What differs from the row's own figures. */
	readonly scale?: string;
}

/** What the body of a test gets. */
export interface FaultTest {
	/** Says what this run showed; at least once. */
	readonly seen: (what: string) => void;
}

/** What a finished test tells the reporter. */
export interface FaultResult extends FaultDescription {
	readonly sentence: string;
	readonly seen: readonly string[];
	/** Why it was played a second time. */
	readonly missed?: string;
}

declare module "vitest" {
	interface TaskMeta {
		fault?: FaultResult;
	}
}

const known = new Set(matrix.map(({ id }) => id));

/** A test that plays rows of the fault matrix; what it has seen goes into docs/faults.md. Fails without `seen`. `timeoutMs`: default that of the project. */
export function fault(
	description: FaultDescription,
	sentence: string,
	body: (play: FaultTest) => Promise<void>,
	timeoutMs?: number,
): void {
	const { rows } = description;
	const unknown = rows.filter((row) => !known.has(row));
	if (rows.length === 0 || unknown.length > 0) throw new Error(`no rows of the matrix: [${unknown}] in "${sentence}"`);
	test(
		`${rows.join(", ")}: ${sentence}`,
		async ({ task }) => {
			let seen: string[] = [];
			const play = async () => {
				seen = [];
				await body({ seen: (what) => void seen.push(what) });
				expect(seen, "what was seen").not.toEqual([]);
			};
			task.meta.fault = { ...description, sentence, seen };
			let missed: string | undefined;
			try {
				await play();
			} catch (error) {
				// All else stands: what the checker found, and each plain comparison (docs/decisions/0018).
				if (!isMissedWait(error)) throw error;
				missed = (error as Error).message;
				await play();
			}
			// The runner takes the meta data over when the test ends.
			task.meta.fault = { ...description, sentence, seen, ...(missed !== undefined && { missed }) };
		},
		timeoutMs === undefined ? undefined : 2 * timeoutMs,
	);
}
