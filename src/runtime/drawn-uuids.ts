import { randomUUID } from "node:crypto";

/** What the `{uuid}`s of component files stand for: each is drawn once, when its component is first loaded, and kept over a reload. */
export class DrawnUuids {
	/** By component; within it by field and occurrence. */
	readonly #drawn = new Map<string, Map<string, string>>();

	/** The UUID of one occurrence in one field. No two occurrences share one. */
	get(component: string, field: string, occurrence: number): string {
		const own = this.#drawn.get(component) ?? new Map<string, string>();
		this.#drawn.set(component, own);
		const key = `${occurrence} ${field.toLowerCase()}`;
		const uuid = own.get(key) ?? randomUUID();
		own.set(key, uuid);
		return uuid;
	}

	/** Forgets those of all other components. */
	keepOnly(components: ReadonlySet<string>): void {
		for (const component of this.#drawn.keys()) if (!components.has(component)) this.#drawn.delete(component);
	}
}
