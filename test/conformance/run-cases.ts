import { afterAll, beforeAll, describe, test } from "vitest";
import type { Case, CaseGroup } from "./case.js";
import { creating } from "./cases/creating.js";
import { directions } from "./cases/directions.js";
import { dispositions } from "./cases/dispositions.js";
import { receiving } from "./cases/receiving.js";
import { refusing } from "./cases/refusing.js";
import { stopping } from "./cases/stopping.js";
import type { Face } from "./face.js";
import { Stage } from "./stage.js";

/** The contract of the binding: every case that applies to this face. */
export function runCases(face: Face): void {
	for (const group of [...receiving, ...creating, ...directions, ...refusing, ...dispositions, ...stopping]) {
		const cases = group.cases.filter(
			({ faces, applies }) => (faces?.includes(face.name) ?? true) && (applies?.(face) ?? true),
		);
		if (cases.length > 0) describe(`${face.name}: ${group.name}`, () => runGroup(face, group, cases));
	}
}

function runGroup(face: Face, { options, prepare }: CaseGroup, cases: readonly Case[]): void {
	if (options === undefined) {
		for (const { name, run } of cases) {
			test(name, async () => {
				await using stage = await Stage.open(face);
				await run(stage);
			});
		}
		return;
	}
	let stage: Stage;
	beforeAll(async () => {
		stage = await Stage.open(face);
		await prepare?.(stage);
		await stage.start(options);
	});
	afterAll(() => stage?.[Symbol.asyncDispose]());
	for (const { name, run } of cases) test(name, () => run(stage));
}
