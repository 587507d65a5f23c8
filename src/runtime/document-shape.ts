import { z } from "zod";
import { nearestName } from "../bindings/nearest-name.js";
import { scalarText } from "./property-text.js";

/** What may stand below a shape: named fields, or any number of things of one shape. */
const BELOW = new WeakMap<z.ZodType, { readonly fields: z.ZodRawShape } | { readonly each: z.ZodType }>();
/** A word that differs in more characters was not meant. */
const MAX_SLIPS = 3;

/** Text; other scalars are taken as they are written, as in Dapr. */
export const text = z.preprocess(
	(value) => scalarText(value) ?? value,
	z.string({ error: ({ input }) => (input === undefined ? "is missing" : `is ${kindOf(input)}, expected text`) }),
);
/** Text that is not empty. */
export const filledText = text.refine((value) => value !== "", "is empty, expected text");

/** A map whose field names count in any case, whose unknown fields are ignored and whose null fields are not there. */
export function map<Shape extends z.ZodRawShape>(shape: Shape) {
	const names = new Map(Object.keys(shape).map((name) => [name.toLowerCase(), name]));
	const error = ({ input }: { readonly input?: unknown }) =>
		input === undefined ? "is missing" : `is ${kindOf(input)}, expected a map`;
	const schema = z.preprocess(
		(value, context) => {
			if (!(value instanceof Map)) return value ?? undefined;
			const fields: Record<string, unknown> = Object.create(null);
			for (const [key, field] of value) {
				const name = typeof key === "string" ? names.get(key.toLowerCase()) : undefined;
				if (name === undefined) continue;
				if (name in fields) context.addIssue({ code: "custom", path: [name], message: "is there twice" });
				fields[name] = field ?? undefined;
			}
			return fields;
		},
		z.object(shape, { error }),
	);
	BELOW.set(schema, { fields: shape });
	return schema;
}

/** A list of things of one shape; none where it is not there. */
export function list<Item extends z.ZodType>(item: Item) {
	const schema = z.array(item, { error: ({ input }) => `is ${kindOf(input)}, expected a list` });
	BELOW.set(schema, { each: item });
	return schema.default([]);
}

/** A map from free names to values of one shape; empty where it is not there. */
export function named<Item extends z.ZodType>(item: Item) {
	const schema = z.preprocess(
		(value) =>
			value instanceof Map ? Object.fromEntries([...value].map(([key, field]) => [String(key), field])) : value,
		z.record(z.string(), item, { error: ({ input }) => `is ${kindOf(input)}, expected a map` }),
	);
	BELOW.set(schema, { each: item });
	return schema.default({});
}

/** True or false, also as text, as Dapr's parser takes it. */
export const truth = z.preprocess(
	(value) => (typeof value === "string" && /^(?:true|false)$/i.test(value) ? value.toLowerCase() === "true" : value),
	z.boolean({ error: ({ input }) => `is ${scalarText(input) ?? kindOf(input)}, expected true or false` }),
);

/** What nobody reads. */
export interface UnknownField {
	readonly path: readonly PropertyKey[];
	/** The field that may have been meant. */
	readonly meant: string | undefined;
}

/** The fields of a document that its shape does not know; what stands below them is not looked at. */
export function* unknownFields(
	shape: z.ZodType,
	content: unknown,
	path: readonly PropertyKey[] = [],
): Generator<UnknownField> {
	const below = BELOW.get(withoutDefault(shape));
	if (below === undefined) return;
	const entries: Iterable<[unknown, unknown]> =
		content instanceof Map || Array.isArray(content) ? content.entries() : [];
	for (const [key, value] of entries) {
		const here = [...path, typeof key === "number" ? key : String(key)];
		if ("each" in below) {
			yield* unknownFields(below.each, value, here);
			continue;
		}
		const names = Object.keys(below.fields);
		const name = names.find((known) => known.toLowerCase() === String(key).toLowerCase());
		if (name === undefined) yield { path: here, meant: nearestName(String(key), names, MAX_SLIPS) };
		else yield* unknownFields(below.fields[name] as z.ZodType, value, here);
	}
}

/** One sentence for people. */
export function describeUnknown({ path, meant }: UnknownField): string {
	return `${formatPath(path)} is unknown and has no effect${meant === undefined ? "" : `, did you mean ${JSON.stringify(meant)}`}`;
}

function withoutDefault(shape: z.ZodType): z.ZodType {
	return shape instanceof z.ZodOptional || shape instanceof z.ZodDefault
		? withoutDefault(shape.unwrap() as z.ZodType)
		: shape;
}

/** A field of a map, its name in any case; undefined where there is none. */
export function member(value: unknown, name: string): unknown {
	if (!(value instanceof Map)) return undefined;
	for (const [key, field] of value) {
		if (typeof key === "string" && key.toLowerCase() === name.toLowerCase()) return field;
	}
	return undefined;
}

/** What it is, in words. Never shows the value: it may be a secret in the wrong place. */
export function kindOf(value: unknown): string {
	if (value === null) return "empty";
	if (value instanceof Map) return "a map";
	if (Array.isArray(value)) return "a list";
	return typeof value === "string" ? "text" : typeof value === "boolean" ? "a boolean" : "a number";
}

/** `spec.metadata[2].name`. */
export function formatPath(path: readonly PropertyKey[]): string {
	return path
		.map((step) => (typeof step === "number" ? `[${step}]` : `.${String(step)}`))
		.join("")
		.replace(/^\./, "");
}
