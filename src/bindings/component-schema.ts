import type { Field, Fields } from "./field.js";
import { expectedText, formatValue } from "./field-value.js";

/** A JSON Schema, or a part of one. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/**
 * The JSON Schema (draft 07) of component files for these types, from their table of fields: what editors complete and underline. It is
 * wider than the reader, which also takes names in any case: what the schema refuses is wrong, not everything that it takes is right.
 */
export function componentSchema(types: readonly string[], fields: Fields): JsonSchema {
	return {
		$schema: "http://json-schema.org/draft-07/schema#",
		title: "A Dapr component that mqtt3-binding serves",
		type: "object",
		required: ["apiVersion", "kind", "metadata", "spec"],
		properties: {
			apiVersion: { const: "dapr.io/v1alpha1" },
			kind: { const: "Component" },
			metadata: {
				type: "object",
				required: ["name"],
				properties: {
					name: {
						...described("What apps call it, and the path of its events."),
						type: "string",
						pattern: "^(?!\\.{1,2}$)[^/%]+$",
					},
					namespace: { type: "string" },
				},
			},
			spec: {
				type: "object",
				required: ["type", "metadata"],
				properties: {
					type: { enum: types },
					version: { enum: ["v1", "v0"], default: "v1" },
					ignoreErrors: {
						...described("Go on without the component where it is wrong."),
						type: "boolean",
						default: false,
					},
					initTimeout: {
						...described("How long its secret store is waited for: `30s`."),
						type: "string",
						default: "5s",
					},
					metadata: { type: "array", items: itemSchema(fields) },
				},
			},
			auth: {
				type: "object",
				properties: {
					secretStore: { ...described("The component that keeps the secrets of `secretKeyRef`."), type: "string" },
				},
			},
			scopes: { ...described("The apps that may use it; none: all."), type: "array", items: { type: "string" } },
		},
	};
}

function itemSchema(fields: Fields): JsonSchema {
	return {
		type: "object",
		required: ["name"],
		properties: {
			// Completed from the first, and not refused by the second: names count in any case, and others only warn.
			name: { anyOf: [{ enum: Object.keys(fields) }, { type: "string", minLength: 1 }] },
			value: {},
			secretKeyRef: {
				type: "object",
				required: ["name"],
				properties: { name: { type: "string" }, key: { type: "string" } },
			},
			envRef: { ...described("An environment variable of the sidecar."), type: "string", minLength: 1 },
		},
		allOf: Object.entries(fields).map(([name, field]) => ({
			// biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema, and no promise.
			...{ if: { required: ["name"], properties: { name: { const: name } } }, then: fieldSchema(field) },
		})),
	};
}

function fieldSchema(field: Field): JsonSchema {
	const text = [field.meaning, field.secret && "Secret: use `secretKeyRef`.", expectation(field)]
		.filter(Boolean)
		.join(" ");
	const value = {
		...described(text),
		...valueSchema(field),
		...(field.default !== undefined && { default: formatValue(field, field.default) }),
		examples: [field.example],
	};
	return { properties: { name: described(field.meaning), value } };
}

function expectation(field: Field): string | undefined {
	return field.kind === "duration" || field.kind === "size" ? `Expected: ${expectedText(field)}.` : undefined;
}

/** Scalars come as YAML has them or as text, as both are the same to Dapr. */
function valueSchema(field: Field): JsonSchema {
	switch (field.kind) {
		case "boolean":
			return {
				anyOf: [
					{ type: "boolean" },
					{ enum: ["true", "false", "yes", "no", "y", "n", "t", "f", "on", "off", "1", "0", 1, 0] },
				],
			};
		case "integer":
			return {
				anyOf: [
					{ type: "integer", minimum: field.minimum, maximum: field.maximum },
					{ type: "string", pattern: "^\\s*[+-]?\\d+\\s*$" },
				],
			};
		case "qos":
			return { enum: [0, 1, 2, "0", "1", "2"] };
		case "duration":
		case "size":
			return { type: ["string", "number"] };
		case "choice":
			return { enum: field.choices };
		case "list":
			return { type: ["array", "string"], items: { type: "string" } };
		case "choices":
		case "statuses":
			return { type: ["string", "number"] };
		default:
			return { type: ["string", "number", "boolean"] };
	}
}

/** Editors show one or the other. */
function described(text: string): JsonSchema {
	return { description: text, markdownDescription: text };
}
