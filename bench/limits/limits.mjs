// Limits under load: what stays bounded, and what is told to whom.
//   npm run bench -- --only limits --seconds 60
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { flood } from "./flood.mjs";
import { frozenBroker } from "./frozen-broker.mjs";
import { reconnects } from "./reconnects.mjs";
import { slowApp } from "./slow-app.mjs";

/** Runs all four, prints one table of limit, measured, bound and verdict; resolves with the rows that failed. */
export async function limits({ seconds, scale }) {
	const rows = [];
	for (const [name, scenario] of Object.entries({ slowApp, flood, frozenBroker, reconnects })) {
		const folder = await mkdtemp(join(tmpdir(), "bench-"));
		const ends = [];
		const progress = (text) => process.stderr.write(`\r\x1b[K${name}: ${text}`);
		const judge = (limit, measured, bound, isMet) =>
			rows.push({ limit: `${name}: ${limit}`, measured, bound, result: isMet ? "pass" : "FAIL" });
		progress("starts");
		try {
			await scenario({ seconds, scale, folder, atEnd: (end) => ends.unshift(end), progress, judge });
		} catch (error) {
			judge("ran to its end", error.message, "no error", false);
		} finally {
			for (const end of ends) await end();
			await rm(folder, { recursive: true });
		}
	}
	process.stderr.write("\r\x1b[K");
	console.log(
		`Limits under load: Node ${process.version}, scale ${scale}, ${seconds} s where a limit is held for a time`,
	);
	console.table(rows);
	return rows.filter(({ result }) => result === "FAIL");
}
