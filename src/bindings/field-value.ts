import { formatDuration, parseDuration } from "./duration.js";
import type { Field, NumberField, TextField } from "./field.js";
import { formatSize, parseSize } from "./size.js";

/** A field's value, or why there is none. */
export type Reading = { readonly value: unknown } | { readonly reason: string };

const TRUE = ["true", "yes", "y", "t", "on", "1"];
const FALSE = ["false", "no", "n", "f", "off", "0"];

/** Text as it stands in a component → the field's typed value, checked. The reason never holds a secret. */
export function parseValue(field: Field, text: string): Reading {
	const value = fromText(field, text);
	const reason = value === undefined ? wrongKind(field, text) : checkValue(field, value, text);
	return reason === undefined ? { value } : { reason };
}

/** Why a typed value does not fit the field; undefined when it does. `written` is how its author wrote it, for the reason. */
export function checkValue(field: Field, value: unknown, written: unknown = value): string | undefined {
	if (!hasKind(field, value)) return wrongKind(field, written);
	switch (field.kind) {
		case "text":
		case "url":
		case "pem":
			return checkText(field, value as string);
		case "integer":
		case "duration":
		case "size":
			return isInRange(field, value as number)
				? undefined
				: `${show(field, written)} is out of range: expected ${expected(field)}`;
		case "list":
			return (value as string[]).every(isWellFormed) ? undefined : "is not well-formed Unicode";
		default:
			return undefined;
	}
}

/** A typed value → the text that parseValue reads it from. */
export function formatValue(field: Field, value: unknown): string {
	if (field.kind === "duration") return formatDuration(value as number);
	if (field.kind === "size") return formatSize(value as number);
	if (field.kind === "list") return JSON.stringify(value);
	return String(value);
}

/** What may be written, in words, for messages and documentation. */
export function expected(field: Field): string {
	switch (field.kind) {
		case "boolean":
			return `${TRUE.join(", ")} or ${FALSE.join(", ")}`;
		case "qos":
			return "0, 1 or 2";
		case "integer":
			return `a whole number ${range(field, String)}`;
		case "duration":
			return `${range(field, formatDuration)}${field.step === 1_000 ? " in whole seconds" : ""}, written as 5s, 1m30s or 250ms; a bare number is seconds`;
		case "size":
			return `${range(field, formatSize)}, written as 65536, 64Ki, 4Mi or 1G`;
		case "choice":
			return either(field.choices);
		case "choices":
			return `${either(field.choices)}, or several with commas between`;
		case "list":
			return "a YAML list of texts or its JSON text";
		default:
			return "text";
	}
}

function fromText(field: Field, text: string): unknown {
	const word = text.trim();
	switch (field.kind) {
		case "boolean": {
			const lower = word.toLowerCase();
			return TRUE.includes(lower) ? true : FALSE.includes(lower) ? false : undefined;
		}
		case "integer":
		case "qos":
			return /^[+-]?(0|[1-9]\d*)$/.test(word) ? Number(word) + 0 : undefined;
		case "duration":
			return parseDuration(word);
		case "size":
			return parseSize(word);
		case "choice":
			return word;
		case "choices":
			return [...new Set(word.split(",").map((one) => one.trim().toLowerCase()))];
		case "list":
			return parseList(word);
		default:
			return text;
	}
}

function hasKind(field: Field, value: unknown): boolean {
	switch (field.kind) {
		case "boolean":
			return typeof value === "boolean";
		case "integer":
		case "duration":
		case "size":
			return Number.isSafeInteger(value);
		case "qos":
			return value === 0 || value === 1 || value === 2;
		case "choice":
			return typeof value === "string" && field.choices.includes(value);
		case "choices":
			return Array.isArray(value) && value.length > 0 && value.every((one) => field.choices.includes(one));
		case "list":
			return Array.isArray(value) && value.every((one) => typeof one === "string");
		default:
			return typeof value === "string";
	}
}

function wrongKind(field: Field, written: unknown): string {
	const shown = show(field, written);
	switch (field.kind) {
		case "choice":
			if (field.choicesNotYet?.includes(String(written).trim())) {
				return `this version does not support ${shown} yet: expected ${expected(field)}`;
			}
			return `${shown} is not allowed: expected ${expected(field)}`;
		case "choices":
			return `${shown} is not allowed: expected ${expected(field)}`;
		case "boolean":
			return `${shown} is not a boolean: expected ${expected(field)}`;
		case "qos":
			return `${shown} is not a QoS: expected ${expected(field)}`;
		case "integer":
			return `${shown} is not an integer: expected ${expected(field)}`;
		case "duration":
			return `${shown} is not a duration: expected ${expected(field)}`;
		case "size":
			return `${shown} is not a size: expected ${expected(field)}`;
		case "list":
			return `${shown} is not a list: expected ${expected(field)}`;
		default:
			return "is not text";
	}
}

function checkText(field: TextField, text: string): string | undefined {
	if (text === "" && !field.mayBeEmpty) return "is empty";
	if (!isWellFormed(text)) return "is not well-formed Unicode";
	if (field.withoutNul && text.includes("\0")) return "holds the character U+0000";
	const bytes = Buffer.byteLength(text);
	if (field.maxBytes !== undefined && bytes > field.maxBytes) {
		return `is ${bytes} bytes long: expected at most ${field.maxBytes}`;
	}
	return undefined;
}

// With the flag `u` a surrogate is a character of its own only where it stands alone.
function isWellFormed(text: string): boolean {
	return !/\p{Surrogate}/u.test(text);
}

function isInRange(field: NumberField, value: number): boolean {
	return value >= field.minimum && value <= field.maximum && value % (field.step ?? 1) === 0;
}

function range(field: NumberField, format: (value: number) => string): string {
	if (field.maximum === Number.MAX_SAFE_INTEGER) return `of at least ${format(field.minimum)}`;
	return `from ${format(field.minimum)} to ${format(field.maximum)}`;
}

function either(words: readonly string[]): string {
	return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}

function parseList(text: string): unknown {
	try {
		const value: unknown = JSON.parse(text);
		return Array.isArray(value) ? value : undefined;
	} catch {
		return undefined;
	}
}

function show(field: Field, written: unknown): string {
	if (field.secret) return "its value";
	if (typeof written === "object" || typeof written === "function") return "its value";
	if (typeof written !== "string") return String(written);
	return JSON.stringify(written.length > 80 ? `${written.slice(0, 80)}…` : written);
}
