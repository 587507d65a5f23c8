import { nearestName } from "../bindings/nearest-name.js";
import { ConfigurationError } from "../errors.js";

/** One flag of the command line. */
export interface Flag {
	/** Without dashes. */
	readonly name: string;
	/** How the help calls the value. Absent: a boolean, which stands alone or as `--flag=false`. */
	readonly value?: string;
	/** One line of help. Absent: the flag is understood but not shown. */
	readonly help?: string;
	/** Accepted without effect: `later` belongs to a coming version, `daprd` to a part of daprd that is not here. */
	readonly ignored?: "later" | "daprd";
}

/** A command line taken apart. */
export interface FlagReading {
	/** The raw values of each flag that was given, in order; a bare boolean is `true`. */
	readonly values: ReadonlyMap<string, readonly string[]>;
	/** What is no flag and no flag's value, where that is taken. */
	readonly rest: readonly string[];
	/** What stands after `--`; undefined without `--`. */
	readonly command: readonly string[] | undefined;
	readonly problems: readonly ConfigurationError[];
}

/**
 * Takes a command line apart as daprd does: `--flag value`, `--flag=value`, one dash or two, booleans never take the
 * next word, `--` ends the flags. `takesRest`: other words are taken as well. Lists every problem instead of stopping at the first.
 */
export function readFlags(
	argv: readonly string[],
	flags: readonly Flag[],
	{ takesRest = false }: { readonly takesRest?: boolean } = {},
): FlagReading {
	const byName = new Map(flags.map((flag) => [flag.name, flag]));
	const values = new Map<string, string[]>();
	const problems: ConfigurationError[] = [];
	const rest: string[] = [];
	let command: readonly string[] | undefined;

	for (let index = 0; index < argv.length; index++) {
		const argument = argv[index]!;
		if (argument === "--") {
			command = argv.slice(index + 1);
			break;
		}
		const next = argv[index + 1];
		const [, name, inline] = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(argument) ?? [];
		if (name === undefined) {
			if (takesRest) rest.push(argument);
			else problems.push(unexpected(argument));
			continue;
		}
		const flag = byName.get(name);
		if (flag === undefined) {
			problems.push(unknown(name, [...byName.keys()]));
			if (inline === undefined && next !== undefined && !next.startsWith("-")) index++;
			continue;
		}
		let value = inline;
		if (value === undefined && flag.value === undefined) value = "true";
		if (value === undefined && next !== undefined && !next.startsWith("--")) {
			value = next;
			index++;
		}
		if (value === undefined) {
			problems.push(flagError(name, `--${name} needs a value: --${name} ${flag.value}`));
			continue;
		}
		const given = values.get(name);
		if (given === undefined) values.set(name, [value]);
		else given.push(value);
	}
	return { values, rest, command, problems };
}

/** A problem with one flag. */
export function flagError(name: string, message: string): ConfigurationError {
	return new ConfigurationError(message, { property: `--${name}` });
}

function unexpected(argument: string): ConfigurationError {
	const hint = /^(true|false|yes|no)$/i.test(argument)
		? `a boolean is written --flag=${argument}`
		: "the app's command stands after --";
	return new ConfigurationError(`unexpected argument ${JSON.stringify(argument)}: ${hint}`);
}

function unknown(name: string, known: readonly string[]): ConfigurationError {
	const near = nearestName(name, known, Math.max(1, Math.floor(name.length / 3)));
	return flagError(name, `unknown flag --${name}${near === undefined ? "" : `; did you mean --${near}?`}`);
}
