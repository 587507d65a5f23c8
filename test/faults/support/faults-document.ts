import type { FaultResult } from "./fault.js";
import { type MatrixRow, mustBePlayed } from "./matrix.js";

/** A test that passed. */
export interface PlayedFault extends FaultResult {
	/** Its file, from the root of the project. */
	readonly file: string;
}

/** Where a test had its files: another name in each run. */
const TEMPORARY_FOLDER = /\/[^\s"]*\/mqtt3-binding-\w+\//g;

/** The text of docs/faults.md. */
export function faultsDocument(matrix: readonly MatrixRow[], played: readonly PlayedFault[]): string {
	const apart = matrix.filter(({ later, notApplicable }) => later !== undefined || notApplicable !== undefined);
	return `# Faults

Written by \`npm run test:faults -- --write\` from what a run recorded: what was done to the sidecar, its broker, its app or its machine, and
what was seen. \`npm run test:faults\` plays all of it in less than ten minutes and fails when a row was played by no passing test;
\`npm run test:faults -- test/faults/network\` plays a part.

## Faults

${table(matrix, played, "F-")}

## Scenarios

${table(matrix, played, "S-")}

## Not played, or not wholly

| row | what | why |
| --- | --- | --- |
${apart.map(notPlayed).join("\n")}
`;
}

function table(matrix: readonly MatrixRow[], played: readonly PlayedFault[], prefix: string): string {
	const lines = matrix
		.filter((row) => row.id.startsWith(prefix) && mustBePlayed(row))
		.flatMap((row) =>
			played.filter(({ rows }) => rows.includes(row.id)).map((test, index) => line(row, test, index > 0)),
		);
	return [
		"| row | fault | injected | expected | seen | test |",
		"| --- | --- | --- | --- | --- | --- |",
		...lines,
	].join("\n");
}

/** `isMore`: the line before is of the same row, and says what it is about. */
function line(row: MatrixRow, { injected, scale, seen, sentence, file }: PlayedFault, isMore: boolean): string {
	const [fault, expected] = isMore ? ["", ""] : [cell(row.fault), cell(row.expected)];
	const how = scale === undefined ? injected : `${injected} (scale: ${scale})`;
	const test = `[${cell(sentence)}](../${file})`;
	return `| ${row.id} | ${fault} | ${cell(how)} | ${expected} | ${cell(seen.join("; ").replaceAll(TEMPORARY_FOLDER, ""))} | ${test} |`;
}

function notPlayed(row: MatrixRow): string {
	return `| ${row.id} | ${cell(row.fault)} | ${cell(reason(row))} |`;
}

function reason({ later, notApplicable, partly }: MatrixRow): string {
	const why = later === undefined ? `not applicable: ${notApplicable}` : `later: ${later}`;
	return partly ? `in part ${why}` : why;
}

/** Text that breaks neither the table nor a link. */
function cell(text: string): string {
	return text.replaceAll(/\s+/g, " ").replaceAll(/[|<>[\]\\]/g, (character) => `\\${character}`);
}
