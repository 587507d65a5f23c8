import { namedFile } from "./named-file.js";
import { typeKey } from "./registry.js";
import type { ResolvedComponent } from "./runtime.js";

/** What differs between the components that run and those that are wanted. */
export interface ComponentChanges {
	readonly added: readonly ResolvedComponent[];
	readonly changed: readonly ChangedComponent[];
	/** Names of those that are not wanted any more. */
	readonly removed: readonly string[];
}

/** A component that runs and is wanted otherwise. */
export interface ChangedComponent {
	readonly component: ResolvedComponent;
	/** The fields that differ, as written, and `type` and `version`; a file that a field names counts as part of it. */
	readonly fields: readonly string[];
}

/** Compares by name, type, version, properties and the content of files that they name; where something is written does not count. */
export function changesOf(
	running: Iterable<ResolvedComponent>,
	wanted: readonly ResolvedComponent[],
): ComponentChanges {
	const before = new Map([...running].map((component) => [component.name, component]));
	const added: ResolvedComponent[] = [];
	const changed: ChangedComponent[] = [];
	for (const component of wanted) {
		const known = before.get(component.name);
		before.delete(component.name);
		if (known === undefined) {
			added.push(component);
			continue;
		}
		const fields = differences(known, component);
		if (fields.length > 0) changed.push({ component, fields });
	}
	return { added, changed, removed: [...before.keys()] };
}

function differences(one: ResolvedComponent, other: ResolvedComponent): readonly string[] {
	const fields = new Set<string>();
	if (typeKey(one.type) !== typeKey(other.type)) fields.add("type");
	if (one.version !== other.version) fields.add("version");
	for (const name of new Set([...Object.keys(one.properties), ...Object.keys(other.properties)])) {
		if (textOf(one, name) !== textOf(other, name)) fields.add(name);
	}
	return [...fields];
}

/** With the digest of the file that it names, if it does. */
function textOf({ properties, files = {} }: ResolvedComponent, name: string): string | undefined {
	const value = Object.hasOwn(properties, name) ? properties[name] : undefined;
	if (value === undefined) return undefined;
	const path = namedFile(value);
	return path === undefined ? value : `${value} ${files[path]}`;
}
