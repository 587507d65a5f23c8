import type { Report } from "../bindings/binding.js";

/** How often one thing was reported. */
export interface ReportCount {
	/** Empty: it concerns no single component. */
	readonly component: string;
	readonly code: string;
	readonly level: Report["level"];
	count: number;
}

/** Counts reports by component, code and level, those too that the log leaves out. */
export class ReportCounts implements Iterable<ReportCount> {
	readonly #counts = new Map<string, ReportCount>();

	add(component: string | undefined, { code, level }: Report): void {
		const key = `${component ?? ""} ${code} ${level}`;
		const known = this.#counts.get(key);
		if (known === undefined) this.#counts.set(key, { component: component ?? "", code, level, count: 1 });
		else known.count++;
	}

	[Symbol.iterator](): Iterator<ReportCount> {
		return this.#counts.values();
	}
}
