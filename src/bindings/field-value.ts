import { formatDuration, parseDuration } from "./duration.js";
import type { Field, NumberField, TextField } from "./field.js";
import { formatSize, parseSize } from "./size.js";
import { isStatus, normalStatus, STATUSES_EXPECTED } from "./status-list.js";

/** A field's value, or why there is none. */
export type Reading = { readonly value: unknown } | { readonly reason: string };

const TRUE = ["true", "yes", "y", "t", "on", "1"];
const FALSE = ["false", "no", "n", "f", "off", "0"];

/** How a value was given and what should have been, in words, for the reason. */
interface Wording {
	readonly shown: string;
	readonly expected: string;
}

/** Text as it stands in a component → the field's typed value, checked. The reason never holds a secret. */
export function parseValue(field: Field, text: string): Reading {
	const value = fromText(field, text);
	const reason = fault(field, value, { shown: show(field, text), expected: expectedText(field) });
	return reason === undefined ? { value } : { reason };
}

/** Why a typed value does not fit the field; undefined when it does. The reason never holds a secret. */
export function checkValue(field: Field, value: unknown): string | undefined {
	return fault(field, value, { shown: show(field, value), expected: expectedValue(field) });
}

/** A typed value → the text that parseValue reads it from. */
export function formatValue(field: Field, value: unknown): string {
	if (field.kind === "duration") return formatDuration(value as number);
	if (field.kind === "size") return formatSize(value as number);
	if (field.kind === "list") return JSON.stringify(value);
	return String(value);
}

/** What may be written in a component, in words, for messages and documentation. */
export function expectedText(field: Field): string {
	switch (field.kind) {
		case "boolean":
			return `${TRUE.join(", ")} or ${FALSE.join(", ")}`;
		case "duration":
			return `${range(field, formatDuration)}${field.step === 1_000 ? " in whole seconds" : ""}, written as 5s, 1m30s or 250ms; a bare number is seconds`;
		case "size":
			return `${range(field, formatSize)}, written as 65536, 64Ki, 4Mi or 1G`;
		case "choices":
			return `${either(field.choices)}, or several with commas between`;
		case "statuses":
			return `${STATUSES_EXPECTED}, with commas between`;
		case "list":
			return "a YAML list of texts or its JSON text";
		default:
			return expectedValue(field);
	}
}

function expectedValue(field: Field): string {
	switch (field.kind) {
		case "boolean":
			return "true or false";
		case "qos":
			return "0, 1 or 2";
		case "integer":
			return `a whole number, ${range(field, String)}`;
		case "duration":
			return `milliseconds, ${range(field, String)}${field.step === undefined ? "" : ` in steps of ${field.step}`}`;
		case "size":
			return `bytes, ${range(field, String)}`;
		case "choice":
			return either(field.choices);
		case "choices":
			return `an array of ${either(field.choices)}`;
		case "statuses":
			return `an array of ${STATUSES_EXPECTED}`;
		case "list":
			return "an array of strings";
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
		case "statuses":
			return [...new Set(word.split(",").map(normalStatus))];
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
		case "statuses":
			return Array.isArray(value) && value.length > 0 && value.every(isStatus);
		case "list":
			return Array.isArray(value) && value.every((one) => typeof one === "string");
		default:
			return typeof value === "string";
	}
}

function fault(field: Field, value: unknown, { shown, expected }: Wording): string | undefined {
	if (!hasKind(field, value)) return `${shown} ${wrongKind(field)}: expected ${expected}`;
	switch (field.kind) {
		case "text":
		case "url":
		case "pem":
			return textFault(field, value as string);
		case "integer":
		case "duration":
		case "size":
			return isInRange(field, value as number) ? undefined : `${shown} is out of range: expected ${expected}`;
		case "list":
			return (value as string[]).every(isWellFormed) ? undefined : "is not well-formed Unicode";
		default:
			return undefined;
	}
}

function wrongKind(field: Field): string {
	switch (field.kind) {
		case "choice":
		case "choices":
			return "is not allowed";
		case "statuses":
			return "is not a list of statuses";
		case "boolean":
			return "is not a boolean";
		case "qos":
			return "is not a QoS";
		case "integer":
			return "is not an integer";
		case "duration":
			return "is not a duration";
		case "size":
			return "is not a size";
		case "list":
			return "is not a list";
		default:
			return "is not text";
	}
}

function textFault(field: TextField, text: string): string | undefined {
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
	if (field.maximum === Number.MAX_SAFE_INTEGER) return `at least ${format(field.minimum)}`;
	return `${format(field.minimum)} to ${format(field.maximum)}`;
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
