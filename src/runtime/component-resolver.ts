import { ConfigurationError } from "../errors.js";
import { type ComponentManifest, describeComponent, type MetadataItem } from "./component-manifest.js";
import type { DrawnUuids } from "./drawn-uuids.js";
import { digestNamedFile } from "./named-file.js";
import { type FilledText, fillPlaceholders, type PlaceholderValues } from "./placeholders.js";
import type { ResolvedComponent } from "./runtime.js";
import { type ReferenceTargets, SecretResolver } from "./secret-resolver.js";

/** What resolving a component takes. */
export interface ResolveOptions extends ReferenceTargets {
	readonly placeholders: Omit<PlaceholderValues, "uuid">;
	readonly uuids: DrawnUuids;
	readonly onWarning: (message: string) => void;
}

/** Fields that could not be resolved, one error each, and what is known of the component without them. */
export class UnresolvedError extends AggregateError {
	readonly component: ResolvedComponent;
	/** As written. */
	readonly fields: readonly string[];
	constructor(problems: readonly unknown[], component: ResolvedComponent, fields: readonly string[]) {
		super(problems, `${describeComponent(component.name, component.source)}: ${problems.length} unresolved`);
		this.component = component;
		this.fields = fields;
	}
}

/**
 * Resolves the secrets, environment references and placeholders of one component, once for both directions.
 * Rejects with an UnresolvedError that lists every field at fault.
 */
export async function resolveComponent(
	manifest: ComponentManifest,
	options: ResolveOptions,
): Promise<ResolvedComponent> {
	const resolver = new SecretResolver(manifest, options);
	// Names come from outside: without a prototype, `__proto__` is a name like any other.
	const properties: Record<string, string> = Object.create(null);
	const sources: Record<string, string> = Object.create(null);
	const templated: string[] = [];
	const files: Record<string, string> = Object.create(null);
	const problems: unknown[] = [];
	const unresolved: string[] = [];
	for (const item of manifest.metadata) {
		try {
			const text = await resolver.resolve(item);
			if (text === undefined) continue;
			const filled = fill(manifest, item, text, options);
			properties[item.name] = filled.text;
			sources[item.name] = item.source;
			if (filled.random) templated.push(item.name);
			const file = await digestNamedFile(filled.text);
			if (file !== undefined) files[file.path] = file.digest;
		} catch (problem) {
			problems.push(problem);
			unresolved.push(item.name);
		}
	}
	const { name, type, version, source, ignoreErrors } = manifest;
	const hasSecrets = manifest.metadata.some(({ secretKeyRef }) => secretKeyRef !== undefined);
	const component = { name, type, version, properties, sources, templated, files, hasSecrets, source, ignoreErrors };
	if (problems.length > 0) throw new UnresolvedError(problems, component, unresolved);
	return component;
}

function fill(manifest: ComponentManifest, item: MetadataItem, text: string, options: ResolveOptions): FilledText {
	// dapr: pkg/runtime/processor/binding/binding.go takes the route as it stands.
	if (item.name === "route") return { text, random: false, missing: [], misspelt: [] };
	const uuid = (occurrence: number) => options.uuids.get(manifest.name, item.name, occurrence);
	const filled = fillPlaceholders(text, { ...options.placeholders, uuid });
	const where = `${describeComponent(manifest.name, item.source)}: field ${JSON.stringify(item.name)}`;
	if (filled.missing.length > 0) {
		throw new ConfigurationError(`${where}: {podName} needs the environment variable POD_NAME, which is not set`, {
			component: manifest.name,
			property: item.name,
		});
	}
	for (const { written, meant } of filled.misspelt) {
		options.onWarning(`${where}: ${written} is no placeholder and stays as it is, did you mean ${meant}`);
	}
	return filled;
}
