import type { Binding } from "../bindings/binding.js";
import { ConfigurationError } from "../errors.js";
import { LoadedBinding } from "./loaded-binding.js";
import type { ResolvedComponent, RuntimeOptions } from "./runtime.js";

/** What making bindings takes. */
export type InitOptions = Pick<RuntimeOptions, "registry" | "onReport">;

/**
 * Makes and initialises a binding for every component, one after the other; those with `ignoreErrors` that fail are left out with a warning.
 * Rejects with an AggregateError of all ConfigurationErrors, after all were tried and closed.
 */
export async function initBindings(
	components: readonly ResolvedComponent[],
	options: InitOptions,
): Promise<ReadonlyMap<string, LoadedBinding>> {
	const loaded = new Map<string, LoadedBinding>();
	const errors: ConfigurationError[] = [];
	for (const component of components) {
		try {
			refuseNamesake(component, loaded);
			const made = await initBinding(component, [], options);
			try {
				refuseSharedConnection(made, loaded.values());
			} catch (error) {
				await made.binding.close();
				throw error;
			}
			loaded.set(component.name, made);
		} catch (error) {
			const problems = problemsOf(error, component);
			if (component.ignoreErrors) for (const problem of problems) reportLeftOut(problem, component, options);
			else errors.push(...problems);
		}
	}
	if (errors.length === 0) return loaded;
	await Promise.allSettled([...loaded.values()].map(({ binding }) => binding.close()));
	const count = new Set(errors.map((error) => error.component)).size;
	throw new AggregateError(errors, `${count} ${count === 1 ? "component is" : "components are"} wrong`);
}

/**
 * Makes and initialises the binding of one component, and reports its warnings. `replaced`: those that it may take the place of. Rejects
 * as its init does, or with ConfigurationError for a type that is not there.
 */
export async function initBinding(
	component: ResolvedComponent,
	replaced: readonly Binding[],
	{ registry, onReport }: InitOptions,
): Promise<LoadedBinding> {
	const { name, type, source } = component;
	const binding = registry.createBinding(type, replaced);
	if (binding === undefined) {
		const message = `component "${name}" (${source}): there is no component type ${JSON.stringify(type)}`;
		throw new ConfigurationError(message, { component: name, property: "type" });
	}
	binding.onReport((report) => onReport?.(name, report));
	try {
		const warnings = await binding.init(component);
		for (const message of warnings) onReport?.(name, { level: "warn", code: "component-warning", message });
		return new LoadedBinding(component, binding);
	} catch (error) {
		await binding.close().catch(() => {});
		throw error;
	}
}

function refuseNamesake({ name, source }: ResolvedComponent, others: ReadonlyMap<string, LoadedBinding>): void {
	const namesake = others.get(name)?.component;
	if (namesake === undefined) return;
	const message = `component "${name}" (${source}): there is another of that name at ${namesake.source}`;
	throw new ConfigurationError(message, { component: name });
}

/** Throws ConfigurationError: a broker closes the older of two connections with one client identifier, so that they would evict each other for ever. */
export function refuseSharedConnection(made: LoadedBinding, others: Iterable<LoadedBinding>): void {
	for (const other of others) {
		const shared = made.sharedWith(other);
		if (shared === undefined) continue;
		const { name, source } = made.component;
		throw new ConfigurationError(
			`component "${name}" (${source}): component "${other.component.name}" (${other.component.source}) uses the same client identifier ` +
				`${JSON.stringify(shared.clientId)} at the same broker ${shared.broker}, expected another "consumerID" for one of them, ` +
				`or "splitConnections: true" in both where one only reads and the other only writes`,
			{ component: name, property: "consumerID" },
		);
	}
}

/** One ConfigurationError for each thing that is wrong, whatever init() rejected with. */
export function problemsOf(error: unknown, component: ResolvedComponent): readonly ConfigurationError[] {
	if (error instanceof AggregateError) return error.errors.flatMap((one: unknown) => problemsOf(one, component));
	if (error instanceof ConfigurationError) return [error];
	const { name, source } = component;
	const message = `component "${name}" (${source}): ${error instanceof Error ? error.message : error}`;
	return [new ConfigurationError(message, { component: name, cause: error })];
}

function reportLeftOut(error: ConfigurationError, { name }: ResolvedComponent, { onReport }: InitOptions): void {
	onReport?.(name, {
		level: "warn",
		code: "component-left-out",
		message: `left out (ignoreErrors): ${error.message}`,
		error,
	});
}
