import type { Finding } from "./finding.js";

/** How findings may be printed. */
export const FINDING_FORMATS = ["text", "json", "github"] as const;
export type FindingFormat = (typeof FINDING_FORMATS)[number];

/** The findings as text for people, as one JSON array, or as the commands that mark lines of a pull request on GitHub. */
export function printFindings(findings: readonly Finding[], format: FindingFormat): string {
	switch (format) {
		case "json":
			return `${JSON.stringify(findings.map(withoutDrawing), undefined, "\t")}\n`;
		case "github":
			return findings.map((finding) => `${githubCommand(finding)}\n`).join("");
		case "text":
			return findings.map((finding) => `${asText(finding)}\n`).join("");
	}
}

function withoutDrawing({ shown: _shown, width: _width, ...finding }: Finding): Omit<Finding, "shown" | "width"> {
	return finding;
}

function asText({ severity, file, line, column, component, message, shown, width = 1 }: Finding): string {
	const where = file === undefined ? "" : `${[file, line, column].filter((part) => part !== undefined).join(":")}: `;
	const whose = component === undefined ? "" : `component ${JSON.stringify(component)}: `;
	const head = `${where}${severity}: ${whose}${message}`;
	if (shown === undefined || line === undefined || column === undefined) return head;
	const number = String(line).padStart(5);
	// Tabs stay tabs, so that the caret stands below what it means.
	const indent = shown.slice(0, column - 1).replace(/[^\t]/g, " ");
	const caret = "^".repeat(Math.max(1, Math.min(width, shown.length - column + 1)));
	return `${head}\n${number} | ${shown}\n      | ${indent}${caret}`;
}

function githubCommand({ severity, file, line, column, component, message }: Finding): string {
	const properties = [
		...(file === undefined ? [] : [`file=${escapeProperty(file)}`]),
		...(line === undefined ? [] : [`line=${line}`]),
		...(column === undefined ? [] : [`col=${column}`]),
	].join(",");
	const whose = component === undefined ? "" : `component ${JSON.stringify(component)}: `;
	return `::${severity}${properties === "" ? "" : ` ${properties}`}::${escapeData(whose + message)}`;
}

function escapeData(text: string): string {
	return text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

function escapeProperty(text: string): string {
	return escapeData(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}
