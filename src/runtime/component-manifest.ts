import { z } from "zod";
import { parseDuration } from "../bindings/duration.js";
import { ConfigurationError } from "../errors.js";
import type { ComponentDocument } from "./component-loader.js";
import {
	describeUnknown,
	filledText,
	formatPath,
	list,
	map,
	member,
	text,
	truth,
	unknownFields,
} from "./document-shape.js";
import { scalarText, toPropertyText } from "./property-text.js";

/** dapr: pkg/runtime/processor/loops/root/component.go */
const INIT_TIMEOUT_MS = 5_000;

/** One item of `spec.metadata`, its references still unresolved. */
export interface MetadataItem {
	readonly name: string;
	readonly value?: string | undefined;
	readonly secretKeyRef?: { readonly name: string; readonly key?: string | undefined } | undefined;
	readonly envRef?: string | undefined;
	/** `file:line` of its name. */
	readonly source: string;
}

/** One `kind: Component` document of the right shape. */
export interface ComponentManifest {
	readonly name: string;
	/** As written, `bindings.mqtt3`. */
	readonly type: string;
	/** `v0` or `v1`. */
	readonly version: string;
	readonly ignoreErrors: boolean;
	/** How long its secret store is waited for. */
	readonly initTimeoutMs: number;
	readonly metadata: readonly MetadataItem[];
	/** The component that keeps the secrets of this one. */
	readonly secretStore: string | undefined;
	/** `file:line` of the document. */
	readonly source: string;
	/** What is odd in it and goes on all the same. */
	readonly warnings: readonly string[];
}

/** What can be said of any document, whatever its shape: enough to tell whose it is. */
export interface ComponentHeader {
	readonly apiVersion: string | undefined;
	readonly kind: string | undefined;
	readonly name: string | undefined;
	readonly namespace: string | undefined;
	readonly type: string | undefined;
	/** Undefined when it is not a list. */
	readonly scopes: readonly string[] | undefined;
	readonly ignoreErrors: boolean;
}

/** Reads what there is, without complaint. Field names count in any case, as in Dapr. */
export function readHeader(content: unknown): ComponentHeader {
	const metadata = member(content, "metadata");
	const spec = member(content, "spec");
	const scopes = member(content, "scopes") ?? [];
	return {
		apiVersion: scalarText(member(content, "apiVersion")),
		kind: scalarText(member(content, "kind")),
		name: scalarText(member(metadata, "name")),
		namespace: scalarText(member(metadata, "namespace")),
		type: scalarText(member(spec, "type")),
		scopes: Array.isArray(scopes) ? scopes.flatMap((scope) => scalarText(scope) ?? []) : undefined,
		ignoreErrors: scalarText(member(spec, "ignoreErrors"))?.toLowerCase() === "true",
	};
}

/** Checks a document's shape. Everything that is wrong with it comes at once, each with `file:line`. */
export function readManifest(document: ComponentDocument): ComponentManifest | readonly ConfigurationError[] {
	const { name } = readHeader(document.content);
	const problem = (path: readonly PropertyKey[], message: string) =>
		new ConfigurationError(`${describeComponent(name, document.source(path))}: ${message}`, {
			component: name,
			property: formatPath(path),
		});
	const shape = componentShape.safeParse(document.content);
	if (!shape.success) {
		return shape.error.issues.map(({ path, message }) => problem(path, `${formatPath(path)} ${message}`));
	}
	const { metadata, spec, auth } = shape.data;
	const items = spec.metadata.map((item, index) => ({
		...item,
		source: document.source(["spec", "metadata", index, "name"]),
	}));
	const problems = items.flatMap(({ name: property }, index) => {
		const earlier = items.findIndex((item) => item.name.toLowerCase() === property.toLowerCase());
		if (earlier === index) return [];
		const message = `field ${JSON.stringify(property)}: is already given at ${items[earlier]!.source}`;
		return [problem(["spec", "metadata", index, "name"], message)];
	});
	if (problems.length > 0) return problems;
	const initTimeoutMs = readInitTimeout(spec.initTimeout);
	const warnings = [...unknownFields(componentShape, document.content)]
		// Kubernetes has more of them, and they change nothing.
		.filter(({ path: [first] }) => String(first).toLowerCase() !== "metadata")
		.map((field) => problem(field.path, describeUnknown(field)).message);
	if (spec.initTimeout !== undefined && initTimeoutMs === undefined) {
		const message = `spec.initTimeout is ${JSON.stringify(spec.initTimeout)}, expected a duration such as 30s; 5s holds, as in Dapr`;
		warnings.push(problem(["spec", "initTimeout"], message).message);
	}
	return {
		name: metadata.name,
		type: spec.type,
		version: spec.version,
		ignoreErrors: spec.ignoreErrors,
		initTimeoutMs: initTimeoutMs ?? INIT_TIMEOUT_MS,
		metadata: items,
		secretStore: auth?.secretStore || undefined,
		source: document.source([]),
		warnings,
	};
}

/** As Go reads a duration, which needs a unit; undefined for what Dapr passes over, and for none. */
function readInitTimeout(written: string | undefined): number | undefined {
	const ms = written === undefined || /^[\d.]+$/.test(written.trim()) ? undefined : parseDuration(written);
	return ms === 0 ? undefined : ms;
}

/** How every message about a component begins: `component "orders" (components/orders.yaml:7)`. */
export function describeComponent(name: string | undefined, source: string): string {
	return name === undefined ? `component (${source})` : `component ${JSON.stringify(name)} (${source})`;
}

const componentShape = map({
	apiVersion: z.unknown().optional(),
	kind: z.unknown().optional(),
	metadata: map({
		name: filledText.refine(isPathSegment, {
			error: ({ input }) => `is ${JSON.stringify(input)}, expected a name without / and %, other than . and ..`,
		}),
	}),
	spec: map({
		type: filledText,
		version: text
			.optional()
			.transform((version) => version?.toLowerCase() || "v1")
			.refine((version) => version === "v0" || version === "v1", {
				error: ({ input }) => `is ${JSON.stringify(input)}, expected "v1"`,
			}),
		initTimeout: text.optional(),
		ignoreErrors: truth.default(false),
		metadata: list(
			map({
				name: filledText,
				value: z
					.unknown()
					.transform((value, context) => {
						const reading = toPropertyText(value);
						if ("text" in reading) return reading.text;
						context.addIssue({ code: "custom", message: reading.reason });
						return z.NEVER;
					})
					.optional(),
				secretKeyRef: map({ name: filledText, key: text.optional() }).optional(),
				envRef: text.optional(),
			}),
		),
	}),
	auth: map({ secretStore: text.optional() }).optional(),
	scopes: list(text),
});

// dapr: pkg/internal/loader/disk/manifest.go
function isPathSegment(name: string): boolean {
	return name !== "." && name !== ".." && !/[/%]/.test(name);
}
