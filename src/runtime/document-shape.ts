import { z } from "zod";
import { scalarText } from "./property-text.js";

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
	return z.preprocess(
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
}

export function list<Item extends z.ZodType>(item: Item) {
	return z.array(item, { error: ({ input }) => `is ${kindOf(input)}, expected a list` }).default([]);
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
