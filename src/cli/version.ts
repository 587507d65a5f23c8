import { readFileSync } from "node:fs";

/** The version of this package, `1.2.3`, from its package.json. */
export function readVersion(): string {
	const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
	return String(version);
}

/** One line for bug reports: version, Node and platform. */
export function buildInfo(): string {
	return `mqtt3-binding ${readVersion()}, Node ${process.version}, ${process.platform}-${process.arch}`;
}
