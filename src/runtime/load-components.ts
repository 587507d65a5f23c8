import { ConfigurationError } from "../errors.js";
import { NO_RESILIENCY, type ResiliencySettings } from "../resiliency/resiliency.js";
import type { SecretStore } from "../secretstores/secret-store.js";
import { type ComponentFolders, readComponentFolders } from "./component-loader.js";
import { type ComponentManifest, describeComponent, readHeader } from "./component-manifest.js";
import { type ResolveOptions, resolveComponent, UnresolvedError } from "./component-resolver.js";
import { type Selection, type SelectionOptions, selectComponents } from "./component-selection.js";
import { DrawnUuids } from "./drawn-uuids.js";
import { Findings } from "./findings.js";
import { readResiliency } from "./resiliency-manifest.js";
import type { ResolvedComponent } from "./runtime.js";

/** Where components come from and whom they are for. */
export interface LoadOptions extends SelectionOptions {
	/** Component folders, in order. */
	readonly paths: readonly string[];
	/** A path may name one file as well. Default false, as in Dapr. */
	readonly takesFiles?: boolean;
	/** For `envRef`, and `{podName}` (POD_NAME). */
	readonly env: Readonly<Record<string, string | undefined>>;
	/** What `{uuid}` stands for; for whoever loads more than once. Default: drawn anew. */
	readonly uuids?: DrawnUuids;
	/** Nothing to use is no error. Default false. */
	readonly allowNone?: boolean;
	/** Hears of each file that a secret store reads. */
	readonly onSecretFile?: (path: string) => void;
}

/** What the component folders hold for this app. */
export interface LoadedResources {
	readonly components: readonly ResolvedComponent[];
	readonly resiliency: ResiliencySettings;
}

/** What is wrong in the component folders, and what could be loaded all the same: for those who go on to find the rest. */
export class LoadError extends AggregateError {
	readonly components: readonly ResolvedComponent[];
	readonly resiliency: ResiliencySettings;
	/** Components with fields that could not be resolved. */
	readonly unresolved: readonly UnresolvedError[];
	constructor(
		problems: readonly unknown[],
		{ components, resiliency }: LoadedResources,
		unresolved: readonly UnresolvedError[],
	) {
		super(problems, `${problems.length} ${problems.length === 1 ? "problem" : "problems"} in the components`);
		this.components = components;
		this.resiliency = resiliency;
		this.unresolved = unresolved;
	}
}

/**
 * Reads the component folders and resolves the bindings that are meant for this app, in the order of folders, file names and documents.
 * Secret stores are opened first; they are not among the result.
 *
 * Rejects with a LoadError of ConfigurationErrors and SecretErrors that lists everything that is wrong in all files, each with
 * `file:line`; also when there is nothing to use. What a component with `ignoreErrors` has wrong is only warned about.
 */
export async function loadComponents(options: LoadOptions): Promise<LoadedResources> {
	const findings = new Findings(options.onWarning);
	const folders = await readComponentFolders(options.paths, options.onWarning, options);
	findings.add(folders.problems);
	const selection = selectComponents(folders.documents, options, findings);
	const resiliency =
		selection.resiliency.length === 0
			? NO_RESILIENCY
			: await readResiliency(selection.resiliency, componentNames(folders), findings, options.onWarning);
	const { components, unresolved } = await resolveAll(selection, options, findings);
	if (components.length === 0 && findings.problems.length === 0 && options.allowNone !== true) {
		findings.add([nothingUsable(folders, selection, options)]);
	}
	if (findings.problems.length === 0) return { components, resiliency };
	throw new LoadError(findings.problems, { components, resiliency }, unresolved);
}

/** Of all components, also of those for others. */
function componentNames({ documents }: ComponentFolders): readonly string[] {
	const headers = documents.map(({ content }) => readHeader(content));
	return headers.flatMap(({ kind, name }) => (kind === "Component" && name !== undefined ? [name] : []));
}

async function resolveAll(
	selection: Selection,
	options: LoadOptions,
	findings: Findings,
): Promise<{ readonly components: readonly ResolvedComponent[]; readonly unresolved: readonly UnresolvedError[] }> {
	const stores = new Map<string, SecretStore>();
	const unusableStores = new Map(selection.unusableStores);
	const { appId, namespace, env, registry, onWarning } = options;
	const placeholders = { appId: appId ?? "app-id", namespace, podName: env.POD_NAME };
	const { uuids = new DrawnUuids() } = options;
	const resolveOptions: ResolveOptions = { stores, unusableStores, env, placeholders, uuids, onWarning };

	const bindings: ComponentManifest[] = [];
	for (const manifest of selection.manifests) {
		const store = registry.createSecretStore(manifest.type);
		if (store === undefined) {
			bindings.push(manifest);
			continue;
		}
		try {
			await openStore(store, manifest, resolveOptions);
			stores.set(manifest.name, store);
			for (const file of store.files ?? []) options.onSecretFile?.(file);
		} catch (error) {
			findings.add([error], manifest.ignoreErrors);
			unusableStores.set(manifest.name, `could not be opened (${manifest.source})`);
		}
	}

	const components: ResolvedComponent[] = [];
	const unresolved: UnresolvedError[] = [];
	for (const manifest of bindings) {
		try {
			components.push(await resolveComponent(manifest, resolveOptions));
		} catch (error) {
			findings.add([error], manifest.ignoreErrors);
			if (error instanceof UnresolvedError) unresolved.push(error);
		}
	}
	await Promise.allSettled([...stores.values()].map((store) => store.close?.()));
	return { components, unresolved };
}

async function openStore(store: SecretStore, manifest: ComponentManifest, options: ResolveOptions): Promise<void> {
	const { name: component, metadata } = manifest;
	const references = metadata.filter((item) => item.secretKeyRef !== undefined);
	if (references.length > 0) {
		throw new AggregateError(
			references.map(({ name: property, source }) => {
				const where = `${describeComponent(component, source)}: field ${JSON.stringify(property)}`;
				return new ConfigurationError(`${where}: a secret store cannot use secretKeyRef, only value and envRef`, {
					component,
					property,
				});
			}),
		);
	}
	const warnings = await store.init(await resolveComponent(manifest, options));
	for (const warning of warnings) options.onWarning(warning);
}

function nothingUsable(folders: ComponentFolders, { tally }: Selection, options: LoadOptions): ConfigurationError {
	if (options.paths.length === 0) return new ConfigurationError("no component folder is given");
	const paths = options.paths.map((path) => JSON.stringify(path)).join(", ");
	const sorts = [...tally].map(([sort, count]) => `${count} ${sort}`).join(", ");
	const documents =
		folders.documents.length === 0 ? "" : ` with ${count(folders.documents.length, "document")} (${sorts})`;
	const types = options.registry.types.filter((type) => type.startsWith("bindings.")).join(" or ");
	const expected = `expected kind Component of type ${types}`;
	return new ConfigurationError(
		`no usable component in ${paths}: found ${count(folders.files, "YAML file")}${documents}, ${expected}`,
	);
}

function count(number: number, noun: string): string {
	return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
