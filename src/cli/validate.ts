import type { Report } from "../bindings/binding.js";
import { ConfigurationError } from "../errors.js";
import type { UnresolvedError } from "../runtime/component-resolver.js";
import { initBindings } from "../runtime/init-bindings.js";
import { LoadError, loadComponents } from "../runtime/load-components.js";
import type { ResolvedComponent } from "../runtime/runtime.js";
import { type Finding, PlaceReader } from "./finding.js";
import { FINDING_FORMATS, type FindingFormat, printFindings } from "./finding-output.js";
import { FlagValues } from "./flag-values.js";
import { type Flag, flagError, readFlags } from "./flags.js";
import { createRegistry } from "./registry.js";
import type { Environment } from "./sidecar.js";

const FLAGS: readonly Flag[] = [
	{ name: "app-id", value: "ID", help: "only the components that are in scope of this app (all of them)" },
	{ name: "format", value: "FORMAT", help: `${FINDING_FORMATS.join(", ")} (text)` },
	{ name: "help", help: "print this" },
	{ name: "h" },
];

const HELP = `Example:
  mqtt3-binding validate ./components

Reads component files as a start would, connects to no broker, and says everything that is wrong in all of them, each with its line.
PATH is a folder or a file; secrets are fetched from their stores, and environment variables are those of this process.
Ends with 1 when something is wrong; warnings alone are no error.

Usage: mqtt3-binding validate PATH… [flags]

${FLAGS.filter(({ help }) => help !== undefined)
	.map(({ name, value, help }) => `  --${value === undefined ? name : `${name} ${value}`}`.padEnd(20) + help)
	.join("\n")}
`;

interface ValidateOptions {
	readonly paths: readonly string[];
	readonly appId: string | undefined;
	readonly format: FindingFormat;
}

/** The command `validate`. Resolves with 0 when a start would find nothing wrong, else with 1; rejects with the problems of its flags. */
export async function validate(argv: readonly string[], env: Environment): Promise<number> {
	const options = readOptions(argv);
	if (options === "help") {
		process.stdout.write(HELP);
		return 0;
	}
	const { findings, components } = await look(options, env);
	process.stdout.write(printFindings(findings, options.format));
	const errors = findings.filter(({ severity }) => severity === "error").length;
	if (options.format === "text") process.stdout.write(`${summary(errors, findings.length - errors, components)}\n`);
	return errors > 0 ? 1 : 0;
}

/** The same code as at a start, up to where that would connect. */
async function look({ paths, appId, format: _ }: ValidateOptions, env: Environment) {
	const places = new PlaceReader();
	const findings: Finding[] = [];
	const warn = (message: string) => void findings.push(places.of("warning", message));
	const fail = (errors: readonly Error[]) => {
		for (const error of errors) {
			// One error may tell of several fields, a line each.
			const sentences = error.message.split("\n");
			const property = error instanceof ConfigurationError && sentences.length === 1 ? error.property : undefined;
			for (const sentence of sentences) findings.push(places.of("error", sentence, property));
		}
	};
	const registry = createRegistry(env, process.cwd());
	let components: readonly ResolvedComponent[] = [];
	let unresolved: readonly UnresolvedError[] = [];
	try {
		const namespace = env.NAMESPACE || undefined;
		({ components } = await loadComponents({
			paths,
			takesFiles: true,
			appId,
			namespace,
			env,
			registry,
			onWarning: warn,
		}));
	} catch (error) {
		fail(flatten(error));
		if (error instanceof LoadError) ({ components, unresolved } = error);
	}
	// What can't be resolved must not hide what else is wrong with its component.
	const all = [...components, ...unresolved.map(({ component }) => component)];
	try {
		const onReport = (_component: string | undefined, { message }: Report) => warn(message);
		const loaded = await initBindings(all, { registry, onReport });
		await Promise.all([...loaded.values()].map(({ binding }) => binding.close()));
	} catch (error) {
		fail(flatten(error).filter((one) => !isOfUnresolved(one, unresolved)));
	}
	return { findings: findings.sort(byPlace), components: components.length };
}

function readOptions(argv: readonly string[]): ValidateOptions | "help" {
	const { values, rest, command, problems } = readFlags(argv, FLAGS, { takesRest: true });
	const flags = new FlagValues(values);
	if (flags.boolean("help") === true || flags.boolean("h") === true) return "help";
	if (rest.length === 0 && problems.length === 0) {
		flags.problems.push(flagError("path", "a folder or a file is missing: mqtt3-binding validate ./components"));
	}
	if (command !== undefined)
		flags.problems.push(flagError("path", "validate starts no app: leave out what stands after --"));
	const format = FINDING_FORMATS.find((one) => one === (flags.text("format") ?? "text"));
	if (format === undefined) flags.problem("format", FINDING_FORMATS.join(", "));
	const all = [...problems, ...flags.problems];
	if (all.length > 0) throw new AggregateError(all, "the flags can't be used");
	return { paths: rest, appId: flags.text("app-id"), format: format! };
}

/** A field that could not be resolved is missing for no other reason. */
function isOfUnresolved(error: Error, unresolved: readonly UnresolvedError[]): boolean {
	if (!(error instanceof ConfigurationError)) return false;
	const { property = "" } = error;
	const of = unresolved.find(({ component }) => component.name === error.component);
	return of?.fields.some((field) => field.toLowerCase() === property.toLowerCase()) ?? false;
}

function flatten(error: unknown): readonly Error[] {
	if (error instanceof AggregateError) return error.errors.flatMap(flatten);
	if (error instanceof Error) return [error];
	throw error;
}

/** By file and line; what has no place comes last. */
function byPlace(one: Finding, other: Finding): number {
	if (one.file !== other.file) {
		if (one.file === undefined) return 1;
		if (other.file === undefined) return -1;
		return one.file < other.file ? -1 : 1;
	}
	return (one.line ?? 0) - (other.line ?? 0);
}

function summary(errors: number, warnings: number, components: number): string {
	const count = (number: number, noun: string) => `${number} ${noun}${number === 1 ? "" : "s"}`;
	const read = `${count(components, "component")} could be read`;
	const odd = warnings === 0 ? "" : `, ${count(warnings, "warning")}`;
	return errors === 0 ? `nothing is wrong${odd}: ${read}` : `${count(errors, "error")}${odd}: ${read}`;
}
