import { parseBrokerUrl, splitBrokerUrls } from "../mqtt/broker-url.js";
import type { ComponentMetadata, Properties } from "./binding.js";
import { type Field, type Fields, type FieldValues, optionName } from "./field.js";
import { expectedText, formatValue, parseValue } from "./field-value.js";
import { nearestName } from "./nearest-name.js";
import type { Problems } from "./problems.js";

/** What takes a secret's place wherever values are shown. */
export const REDACTED = "<redacted>";

/** A name that differs in more characters was not meant. */
const MAX_SLIPS = 2;

/** Reads one component's properties by its table of fields, and knows where each of them was written. */
export class MetadataReader<All extends Fields> {
	readonly #fields: All;
	readonly #metadata: ComponentMetadata;
	/** By the table's name, the name as written. */
	readonly #written = new Map<string, string>();
	/** Properties that the table does not know, as written. */
	readonly #unknown: string[] = [];

	/** Notes in `problems` every field that is given in two spellings. */
	constructor(fields: All, metadata: ComponentMetadata, problems: Problems) {
		this.#fields = fields;
		this.#metadata = metadata;
		const names = new Map(Object.keys(fields).map((name) => [name.toLowerCase(), name]));
		for (const written of Object.keys(metadata.properties)) {
			const name = names.get(written.toLowerCase());
			if (name === undefined) {
				this.#unknown.push(written);
				continue;
			}
			const earlier = this.#written.get(name);
			if (earlier === undefined) this.#written.set(name, written);
			else problems.add(name, `is given twice, as "${earlier}" and as "${written}"`);
		}
	}

	/** The typed values of all fields that are given and right; what is wrong with the others goes into `problems`. No defaults. */
	read(problems: Problems): FieldValues<All> {
		const values: Record<string, unknown> = {};
		for (const [name, field] of Object.entries(this.#fields)) {
			const written = this.#written.get(name);
			if (written === undefined) continue;
			const text = this.#metadata.properties[written]!;
			// As in daprd, an empty one is a missing one.
			if (field.required && text === "") continue;
			const reading = parseValue(field, text);
			if ("reason" in reading) problems.add(name, reading.reason);
			else values[optionName(name, field)] = reading.value;
		}
		// The loop built exactly what the type says: parseValue returns the type of the field's kind.
		return values as FieldValues<All>;
	}

	/** One warning for each unknown property, with the nearest name that is known. */
	unknownNames(): readonly string[] {
		return this.#unknown.map((written) => this.#unknownName(written, nearestName(written, Object.keys(this.#fields))));
	}

	/** The same of those that differ so little from a known one that this was meant. */
	misspeltNames(): readonly string[] {
		return this.#unknown.flatMap((written) => {
			const meant = nearestName(written, Object.keys(this.#fields), MAX_SLIPS);
			return meant === undefined ? [] : [this.#unknownName(written, meant)];
		});
	}

	#unknownName(written: string, nearest: string | undefined): string {
		return `${this.#where(written)}: unknown field ${JSON.stringify(written)} is ignored, the nearest known name is "${nearest}"`;
	}

	/** A sentence about one field with component, `file:line` and field in front; without a reason, that it is missing. */
	describe(name: string, reason: string | undefined): string {
		const where = this.#where(this.#written.get(name));
		return reason === undefined ? `${where}: missing ${name}` : `${where}: field "${name}": ${reason}`;
	}

	#where(written: string | undefined): string {
		const { name, source, sources } = this.#metadata;
		const place = written !== undefined && sources && Object.hasOwn(sources, written) ? sources[written] : source;
		return place === undefined ? `component "${name}"` : `component "${name}" (${place})`;
	}
}

/** Typed options as the properties of a component: what MetadataReader reads back. Holds the secrets. */
export function formatProperties<All extends Fields>(fields: All, values: FieldValues<All>): Record<string, string> {
	const given = new Map<string, unknown>(Object.entries(values));
	const properties: Record<string, string> = {};
	for (const [name, field] of Object.entries(fields)) {
		const value = given.get(optionName(name, field));
		if (value !== undefined) properties[name] = formatValue(field, value);
	}
	return properties;
}

/** A component's properties as they may be shown: no secret, no PEM, no user info, and nothing of properties that are not known. */
export function redact(fields: Fields, properties: Properties): Properties {
	const known = new Map(Object.entries(fields).map(([name, field]) => [name.toLowerCase(), field]));
	return Object.fromEntries(
		Object.entries(properties).map(([written, value]) => [written, shown(known.get(written.toLowerCase()), value)]),
	);
}

function shown(field: Field | undefined, value: string): string {
	// A misspelt name may hide a password.
	if (!field || field.secret) return REDACTED;
	if (field.kind === "pem") return "<PEM>";
	return field.kind === "url" ? withoutUserInfo(value) : value;
}

function withoutUserInfo(urls: string): string {
	try {
		return splitBrokerUrls(urls)
			.map((url) => parseBrokerUrl(url).href)
			.join(",");
	} catch {
		return REDACTED;
	}
}

/** The fields as a Markdown table, for README and reference. Give a part of a table to get that part. */
export function renderFieldTable(fields: Fields): string {
	const rows = Object.entries(fields).map(([name, field]) => [
		`\`${name}\``,
		field.required ? "yes" : "no",
		renderDefault(field),
		renderKind(field),
		renderMeaning(field),
		code(field.example),
	]);
	return [["Field", "Required", "Default", "Values", "Meaning", "Example"], Array<string>(6).fill("---"), ...rows]
		.map((cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |\n`)
		.join("");
}

function renderDefault(field: Field): string {
	if (field.defaultText !== undefined) return field.defaultText;
	return field.default === undefined ? "" : code(formatValue(field, field.default));
}

function renderKind(field: Field): string {
	switch (field.kind) {
		case "boolean":
			return "`true`, `false`";
		case "choice":
		case "choices":
			return field.choices.map(code).join(", ");
		case "url":
			return "URL";
		case "pem":
			return "PEM";
		case "statuses":
			return "list of statuses";
		case "list":
			return "list of texts";
		case "integer":
		case "qos":
			return expectedText(field);
		default:
			return field.kind;
	}
}

function renderMeaning(field: Field): string {
	const notes = [field.meaning];
	if (field.direction) notes.push(field.direction === "input" ? "Input only." : "Output only.");
	if (field.secret) notes.push("Secret.");
	return notes.join(" ");
}

function code(text: string): string {
	if (text === "") return "";
	return `\`${text.replaceAll("\n", "\\n")}\``;
}
