import { ConfigurationError } from "../errors.js";
import type { ComponentMetadata } from "./binding.js";
import { formatProperties, MetadataReader } from "./metadata.js";
import { MQTT3_FIELDS } from "./mqtt3-fields.js";
import type { Mqtt3Options, Mqtt3Settings } from "./mqtt3-options.js";
import { type Draft, settle } from "./mqtt3-settings.js";
import { combinationWarnings } from "./mqtt3-warnings.js";
import { Problems } from "./problems.js";

/** What a component's metadata comes to. */
export interface ParsedMqtt3Metadata {
	readonly settings: Mqtt3Settings;
	/** To be shown to people: unknown names, combinations that lose messages. Each names component, place and field. */
	readonly warnings: readonly string[];
}

/**
 * Component metadata of `bindings.mqtt3` → settings. Opens no connection; reads files only where TLS material is given as
 * `file:PATH`. Throws one ConfigurationError that lists everything that is wrong, one a line, and holds no secret.
 */
export function parseMqtt3Metadata(metadata: ComponentMetadata): ParsedMqtt3Metadata {
	const problems = new Problems();
	const reader = new MetadataReader(MQTT3_FIELDS, metadata, problems);
	const draft: Draft = reader.read(problems);
	const settings = settle(draft, problems, Date.now());
	if (settings === undefined) throw metadataError(metadata, reader, problems);
	const combinations = combinationWarnings(draft, settings, isRandomClientId(metadata));
	return {
		settings,
		warnings: [...reader.unknownNames(), ...combinations.map(({ field, reason }) => reader.describe(field, reason))],
	};
}

/** Typed options as component metadata: what parseMqtt3Metadata reads back. Holds the secrets. */
export function formatMqtt3Metadata(options: Mqtt3Options): Record<string, string> {
	return formatProperties(MQTT3_FIELDS, options);
}

function metadataError(
	metadata: ComponentMetadata,
	reader: MetadataReader<typeof MQTT3_FIELDS>,
	problems: Problems,
): ConfigurationError {
	const lines = problems.all.map(({ field, reason }) => reader.describe(field, reason));
	// One of them may be what is missing.
	lines.push(...reader.misspeltNames());
	const property = lines.length === 1 ? problems.all[0]!.field : undefined;
	return new ConfigurationError(lines.join("\n"), { component: metadata.name, property });
}

function isRandomClientId(metadata: ComponentMetadata): boolean {
	return metadata.templated?.some((name) => name.toLowerCase() === "consumerid") ?? false;
}
