import type { QoS } from "../mqtt/packet.js";

interface FieldBase {
	/** What it does, in Markdown: one or two sentences. */
	readonly meaning: string;
	/** A value as it stands in a component file; it parses. */
	readonly example: string;
	/** Who defined it: Dapr's page for the component, this project, or Dapr for all bindings. */
	readonly origin: "specification" | "ours" | "dapr";
	/** Its name among the typed options, where that differs. */
	readonly option?: string;
	readonly required?: true;
	/** Its value is never shown. */
	readonly secret?: true;
	/** Which half of the binding it concerns; absent: both. */
	readonly direction?: "input" | "output";
	/** The default in words, where it depends on other fields. */
	readonly defaultText?: string;
}

/** Text, exactly as given. `url` and `pem` are shown without their secret parts. */
export interface TextField extends FieldBase {
	readonly kind: "text" | "url" | "pem";
	readonly default?: string;
	readonly mayBeEmpty?: true;
	/** Of its UTF-8 form. */
	readonly maxBytes?: number;
	/** U+0000 is refused, as in MQTT's strings. */
	readonly withoutNul?: true;
}
export interface BooleanField extends FieldBase {
	readonly kind: "boolean";
	readonly default?: boolean;
}
/** A whole number, a duration in milliseconds or a size in bytes. */
export interface NumberField extends FieldBase {
	readonly kind: "integer" | "duration" | "size";
	readonly default?: number;
	readonly minimum: number;
	readonly maximum: number;
	/** The value is a multiple of this. */
	readonly step?: number;
}
export interface QosField extends FieldBase {
	readonly kind: "qos";
	readonly default?: QoS;
}
/** One word of several; `choices` for several of them with commas between. */
export interface ChoiceField extends FieldBase {
	readonly kind: "choice" | "choices";
	readonly choices: readonly string[];
	readonly default?: string;
}
/** Statuses with commas between: see `status-list.ts`. */
export interface StatusesField extends FieldBase {
	readonly kind: "statuses";
	readonly default?: readonly string[];
}
/** A YAML list of texts or its JSON text. */
export interface ListField extends FieldBase {
	readonly kind: "list";
	readonly default?: readonly string[];
}

/** Everything there is to know about one metadata field, as plain data. */
export type Field = TextField | BooleanField | NumberField | QosField | ChoiceField | StatusesField | ListField;

/** A component's fields by name, in the order of the documentation. */
export type Fields = Readonly<Record<string, Field>>;

/** The typed value of one field. */
export type FieldValue<F> = F extends { kind: "boolean" }
	? boolean
	: F extends { kind: "integer" | "duration" | "size" }
		? number
		: F extends { kind: "qos" }
			? QoS
			: F extends { kind: "choice"; choices: readonly (infer Word)[] }
				? Word
				: F extends { kind: "choices"; choices: readonly (infer Word)[] }
					? readonly Word[]
					: F extends { kind: "list" | "statuses" }
						? readonly string[]
						: string;

type OptionName<Name, F> = F extends { option: infer Option extends string } ? Option : Name;

/** The typed options that a table of fields describes, by their option names. */
export type FieldValues<All> = {
	[Name in keyof All as OptionName<Name, All[Name]>]?: FieldValue<All[Name]> | undefined;
};

/** The field's name among the typed options. */
export function optionName(name: string, field: Field): string {
	return field.option ?? name;
}
