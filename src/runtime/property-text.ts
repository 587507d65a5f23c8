/** What a metadata value of a YAML document can be given to a component as, or why it can't. */
export type PropertyText = { readonly text: string | undefined } | { readonly reason: string };

/**
 * A YAML value → the text that a component gets, as in Dapr: a list or a map as compact JSON, a number in its shortest form.
 * Null is no value at all; an empty text is one. The reason does not show the value.
 */
export function toPropertyText(value: unknown): PropertyText {
	if (value === null || value === undefined) return { text: undefined };
	const text = scalarText(value) ?? jsonText(value);
	return text === undefined
		? { reason: "is not usable, expected text, a finite number, true, false, a list or a map" }
		: { text };
}

/** The text of a scalar that stands where Dapr wants text: `name: 123` is `123`. Undefined for anything else. */
export function scalarText(value: unknown): string | undefined {
	switch (typeof value) {
		case "string":
			return value;
		case "bigint":
		case "boolean":
			return String(value);
		case "number":
			return Number.isFinite(value) ? String(value) : undefined;
		default:
			return value instanceof Uint8Array ? decode(value) : undefined;
	}
}

function decode(bytes: Uint8Array): string | undefined {
	try {
		return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
	} catch {
		return undefined;
	}
}

function jsonText(value: unknown): string | undefined {
	if (value === null) return "null";
	if (Array.isArray(value)) return join("[", value.map(jsonText), "]");
	if (value instanceof Map) return join("{", [...value].map(memberText), "}");
	const text = scalarText(value);
	return text === undefined || (typeof value !== "string" && !(value instanceof Uint8Array))
		? text
		: JSON.stringify(text);
}

function memberText([key, value]: readonly [unknown, unknown]): string | undefined {
	const name = key === null ? "null" : scalarText(key);
	const text = jsonText(value);
	return name === undefined || text === undefined ? undefined : `${JSON.stringify(name)}:${text}`;
}

function join(open: string, parts: readonly (string | undefined)[], close: string): string | undefined {
	return parts.includes(undefined) ? undefined : `${open}${parts.join(",")}${close}`;
}
