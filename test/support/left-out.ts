import { describe, test } from "vitest";
import { type NeedName, needs, verdictOn } from "./needs.js";
import { recordLeftOut } from "./run-record.js";

/**
 * A `describe` for tests that need a program. Where it is missing they are left out, and the run's last lines say so and how to get it;
 * with CI=true they fail instead.
 */
export function describeWith(needName: NeedName, name: string, tests: () => void): void {
	const need = needs[needName];
	switch (verdictOn(need, process.env.CI === "true")) {
		case "run":
			describe(name, tests);
			break;
		case "leave out":
			recordLeftOut(needName, name);
			describe.skip(name, tests);
			break;
		case "fail":
			describe(name, () => {
				test(`${need.program} is there`, () => {
					throw new Error(`${need.program} is missing, and with CI=true nothing may be left out: ${need.remedy}`);
				});
			});
	}
}
