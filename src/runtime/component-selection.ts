import { nearestName } from "../bindings/nearest-name.js";
import { ConfigurationError } from "../errors.js";
import type { ComponentDocument } from "./component-loader.js";
import {
	type ComponentHeader,
	type ComponentManifest,
	describeComponent,
	readHeader,
	readManifest,
} from "./component-manifest.js";
import type { Findings } from "./findings.js";
import { type Registry, typeKey } from "./registry.js";

/** Whose components are looked for. */
export interface SelectionOptions {
	/** Absent: components of every app. */
	readonly appId: string | undefined;
	/** Absent or empty: components of every namespace. */
	readonly namespace?: string | undefined;
	readonly registry: Registry;
	readonly onWarning: (message: string) => void;
}

/** The documents that concern this app, and what can be said of the others. */
export interface Selection {
	/** In scope, of a registered type, of the right shape, each name once; in the documents' order. */
	readonly manifests: readonly ComponentManifest[];
	/** Those of kind Resiliency. */
	readonly resiliency: readonly ComponentDocument[];
	/** Secret stores that were passed over, and why: `is not in the scopes of app "orders" (secrets.yaml:1)`. */
	readonly unusableStores: ReadonlyMap<string, string>;
	/** How many documents there were of each sort. */
	readonly tally: ReadonlyMap<string, number>;
}

/** A word that differs in more characters was not meant. */
const MAX_SLIPS = 2;
const API_VERSION = "dapr.io/v1alpha1";
const OTHER_KINDS = ["Configuration", "HTTPEndpoint", "Subscription", "MCPServer", "WorkflowAccessPolicy"];

type Judgement = { readonly sort: string } & (
	| { readonly manifest: ComponentManifest }
	| { readonly resiliency: ComponentDocument }
	| { readonly problems: readonly ConfigurationError[] }
	/** `why`: for a component that names it as its secret store. */
	| { readonly warning?: string; readonly why?: string }
);

/** Picks the components that this app can use. Those of others are passed over, as other sidecars may read the same folders. */
export function selectComponents(
	documents: readonly ComponentDocument[],
	options: SelectionOptions,
	findings: Findings,
): Selection {
	const manifests = new Map<string, ComponentManifest>();
	const unusableStores = new Map<string, string>();
	const tally = new Map<string, number>();
	const resiliency: ComponentDocument[] = [];
	for (const document of documents) {
		const header = readHeader(document.content);
		const judgement = judge(document, header, options);
		tally.set(judgement.sort, (tally.get(judgement.sort) ?? 0) + 1);
		if ("resiliency" in judgement) {
			resiliency.push(judgement.resiliency);
		} else if ("problems" in judgement) {
			findings.add(judgement.problems, header.ignoreErrors);
		} else if ("manifest" in judgement) {
			const { manifest } = judgement;
			for (const warning of manifest.warnings) options.onWarning(warning);
			// Without an app two of one name may be meant for two apps.
			const key = options.appId === undefined ? `${manifest.name} ${header.scopes?.toSorted()}` : manifest.name;
			const earlier = manifests.get(key);
			if (earlier === undefined) manifests.set(key, manifest);
			else findings.add([duplicateName(manifest, earlier)], manifest.ignoreErrors);
		} else {
			if (judgement.warning !== undefined) options.onWarning(judgement.warning);
			if (judgement.why !== undefined && header.name !== undefined) unusableStores.set(header.name, judgement.why);
		}
	}
	return { manifests: [...manifests.values()], resiliency, unusableStores, tally };
}

function judge(document: ComponentDocument, header: ComponentHeader, options: SelectionOptions): Judgement {
	const source = document.source([]);
	if (!(document.content instanceof Map)) {
		const message = `${source}: expected a map with apiVersion, kind, metadata and spec`;
		return { sort: "without fields", problems: [new ConfigurationError(message)] };
	}
	const { type } = header;
	const known = type !== undefined && options.registry.types.includes(typeKey(type));
	const scope = whyOutOfScope(header, options);
	if (header.kind === "Resiliency") {
		return scope === undefined
			? { sort: "of kind Resiliency", resiliency: document }
			: { sort: "of kind Resiliency for others" };
	}
	if (header.kind !== "Component" || header.apiVersion !== API_VERSION) {
		const sort = header.kind === undefined ? "without kind" : `of kind ${header.kind}`;
		const slips = known && scope === undefined ? findSlips(document, header) : [];
		return slips.length > 0 ? { sort, problems: slips } : { sort, warning: whySkipped(document, header) };
	}
	if (scope !== undefined) {
		return { sort: `of type ${type} for others`, why: `${scope} (${source})` };
	}
	const sort = type ? `of type ${type}` : "without type";
	if (type && !known) {
		const meant = nearType(type, options.registry.types);
		if (meant === undefined)
			return { sort, why: `has type ${JSON.stringify(type)}, which is not supported (${source})` };
		const message = `spec.type ${JSON.stringify(type)} is not supported, did you mean ${JSON.stringify(meant)}`;
		return { sort, problems: [problemAt(document, header, ["spec", "type"], message)] };
	}
	const manifest = readManifest(document);
	return "name" in manifest ? { sort, manifest } : { sort, problems: manifest };
}

function whyOutOfScope(header: ComponentHeader, { appId, namespace }: SelectionOptions): string | undefined {
	if (namespace && header.namespace && header.namespace !== namespace) {
		return `is in namespace ${JSON.stringify(header.namespace)}`;
	}
	const { scopes } = header;
	const inScope = appId === undefined || scopes === undefined || scopes.length === 0 || scopes.includes(appId);
	return inScope ? undefined : `is not in the scopes of app ${JSON.stringify(appId)}`;
}

/** What is wrong with kind and apiVersion of a document that can only be meant as a component; empty when it may be something else. */
function findSlips(document: ComponentDocument, header: ComponentHeader): readonly ConfigurationError[] {
	const { kind, apiVersion } = header;
	const kindFits = kind === undefined || nearestName(kind, ["Component"], MAX_SLIPS) !== undefined;
	const versionFits =
		apiVersion === undefined ||
		/^dapr\.io\//i.test(apiVersion) ||
		nearestName(apiVersion, [API_VERSION], MAX_SLIPS) !== undefined;
	if (!kindFits || !versionFits) return [];
	const slips: ConfigurationError[] = [];
	for (const [field, value, expected] of [
		["apiVersion", apiVersion, API_VERSION],
		["kind", kind, "Component"],
	] as const) {
		if (value === expected) continue;
		const found = value === undefined ? "is missing" : `is ${JSON.stringify(value)}`;
		slips.push(problemAt(document, header, [field], `${field} ${found}, expected ${JSON.stringify(expected)}`));
	}
	return slips;
}

function whySkipped(document: ComponentDocument, { kind, apiVersion }: ComponentHeader): string {
	if (kind === undefined) return `${document.source([])}: skipped, it has no kind`;
	const where = `${document.source(["kind"])}: skipped, kind ${JSON.stringify(kind)}`;
	if (apiVersion?.startsWith("dapr.io/") && OTHER_KINDS.includes(kind)) return `${where} is not used here`;
	if (apiVersion !== API_VERSION) {
		const version = apiVersion === undefined ? "no apiVersion" : `apiVersion ${JSON.stringify(apiVersion)}`;
		return `${where} has ${version}, expected "${API_VERSION}"`;
	}
	const meant = nearestName(kind, ["Component", "Resiliency", ...OTHER_KINDS], MAX_SLIPS);
	return `${where} is unknown${meant === undefined ? "" : `, did you mean ${JSON.stringify(meant)}`}`;
}

function nearType(type: string, types: readonly string[]): string | undefined {
	return nearestName(type, types, /^bindings\.mqtt/i.test(type) ? undefined : MAX_SLIPS);
}

function duplicateName({ name, source }: ComponentManifest, earlier: ComponentManifest): ConfigurationError {
	const message = `${describeComponent(name, source)}: another component has this name (${earlier.source})`;
	return new ConfigurationError(message, { component: name, property: "metadata.name" });
}

function problemAt(
	document: ComponentDocument,
	{ name }: ComponentHeader,
	path: readonly string[],
	message: string,
): ConfigurationError {
	return new ConfigurationError(`${describeComponent(name, document.source(path))}: ${message}`, {
		component: name,
		property: path.join("."),
	});
}
