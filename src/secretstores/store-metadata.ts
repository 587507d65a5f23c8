import type { ComponentMetadata } from "../bindings/binding.js";
import { ConfigurationError } from "../errors.js";

/** A secret store's metadata: the fields it knows, by their proper names. */
export interface StoreMetadata {
	readonly values: ReadonlyMap<string, string>;
	/** One for each field that the store does not know. */
	readonly warnings: readonly string[];
}

/** Reads a store's metadata. Names count in any case. */
export function readStoreMetadata(metadata: ComponentMetadata, known: readonly string[]): StoreMetadata {
	const values = new Map<string, string>();
	const warnings: string[] = [];
	for (const [written, value] of Object.entries(metadata.properties)) {
		const name = known.find((field) => field.toLowerCase() === written.toLowerCase());
		if (name !== undefined) values.set(name, value);
		else {
			const field = JSON.stringify(written);
			warnings.push(
				`${describeStore(metadata, written)}: unknown field ${field} is ignored, known: ${known.join(", ")}`,
			);
		}
	}
	return { values, warnings };
}

/** A field that is true or false, in Dapr's words for it; `otherwise` without it. Throws ConfigurationError for any other. */
export function readBooleanField(
	metadata: ComponentMetadata,
	values: ReadonlyMap<string, string>,
	field: string,
	otherwise: boolean,
): boolean {
	const text = values.get(field);
	if (text === undefined) return otherwise;
	const word = text.trim().toLowerCase();
	if (["true", "yes", "y", "t", "on", "1"].includes(word)) return true;
	if (["false", "no", "n", "f", "off", "0"].includes(word)) return false;
	const problem = `${JSON.stringify(text)} is not a boolean: expected true or false`;
	throw storeFieldError(metadata, field, `field ${JSON.stringify(field)}: ${problem}`);
}

/** An error about one field of a store, with component and `file:line` in front. */
export function storeFieldError(metadata: ComponentMetadata, field: string, problem: string): ConfigurationError {
	const written = Object.keys(metadata.properties).find((name) => name.toLowerCase() === field.toLowerCase());
	return new ConfigurationError(`${describeStore(metadata, written)}: ${problem}`, {
		component: metadata.name,
		property: field,
	});
}

function describeStore({ name, source, sources }: ComponentMetadata, field: string | undefined): string {
	const place = field !== undefined && sources && Object.hasOwn(sources, field) ? sources[field] : source;
	return `component ${JSON.stringify(name)}${place === undefined ? "" : ` (${place})`}`;
}
