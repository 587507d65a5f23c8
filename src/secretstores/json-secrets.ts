import type { Properties } from "../bindings/binding.js";
import { ConfigurationError } from "../errors.js";

/** How a JSON file is read as secrets. */
export interface JsonSecretsOptions {
	/** True: an object at the top is one secret with several keys. False: every value in the file is a secret with one. */
	readonly multiValued: boolean;
	/** Joins the names on the way to a nested value. */
	readonly separator: string;
}

const MAX_DEPTH = 100;

/**
 * A JSON text → secrets by name. Values that are not text become it: `true`, `5`; null is no value.
 * Throws ConfigurationError, which tells nothing of the content but names.
 */
export function readJsonSecrets(text: string, options: JsonSecretsOptions): ReadonlyMap<string, Properties> {
	const content = parseObject(text);
	const secrets = new Map<string, Properties>();
	if (options.multiValued) {
		for (const [name, value] of Object.entries(content)) {
			// Other types at the top are no secrets. dapr: secretstores/local/file/filestore.go in components-contrib
			if (typeof value === "string") secrets.set(name, toProperties([[name, value]]));
			else if (isObject(value) && !Array.isArray(value))
				secrets.set(name, toProperties(flatten(value, options.separator)));
		}
	} else {
		const values = toProperties(flatten(content, options.separator));
		for (const [name, value] of Object.entries(values)) secrets.set(name, toProperties([[name, value]]));
	}
	return secrets;
}

function parseObject(text: string): object {
	let content: unknown;
	try {
		content = JSON.parse(text);
	} catch (error) {
		// Only the place: the parser's sentence quotes the text.
		const position = error instanceof Error ? / at position (\d+)/.exec(error.message)?.[1] : undefined;
		const line = position === undefined ? "" : `: line ${text.slice(0, Number(position)).split("\n").length}`;
		throw new ConfigurationError(`is not valid JSON${line}`);
	}
	if (isObject(content) && !Array.isArray(content)) return content;
	throw new ConfigurationError("is not a JSON object");
}

function* flatten(
	container: object,
	separator: string,
	prefix = "",
	depth = 1,
): Generator<readonly [name: string, value: string]> {
	if (depth > MAX_DEPTH) throw new ConfigurationError("is nested too deeply");
	for (const [key, value] of Object.entries(container)) {
		const name = prefix + key;
		if (isObject(value)) yield* flatten(value, separator, name + separator, depth + 1);
		else if (value !== null) yield [name, leafText(name, value)];
	}
}

function leafText(name: string, value: unknown): string {
	if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
		throw new ConfigurationError(`holds a number with too many digits at ${JSON.stringify(name)}: write it as text`);
	}
	return String(value);
}

function toProperties(values: Iterable<readonly [string, string]>): Properties {
	const properties: Record<string, string> = Object.create(null);
	for (const [name, value] of values) {
		if (name in properties) throw new ConfigurationError(`holds two values named ${JSON.stringify(name)}`);
		properties[name] = value;
	}
	return properties;
}

function isObject(value: unknown): value is object {
	return typeof value === "object" && value !== null;
}
