import type { Binding } from "../bindings/binding.js";
import { ConfigurationError } from "../errors.js";
import type { ResolvedComponent, RuntimeOptions } from "./runtime.js";

/** A component and the binding that was made for it. */
export interface LoadedBinding {
	readonly component: ResolvedComponent;
	readonly binding: Binding;
}

/**
 * Makes and initialises a binding for every component, one after the other; those with `ignoreErrors` that fail are left out with a warning.
 * Rejects with an AggregateError of all ConfigurationErrors, after all were tried and closed.
 */
export async function initBindings(options: RuntimeOptions): Promise<ReadonlyMap<string, LoadedBinding>> {
	const loaded = new Map<string, LoadedBinding>();
	const errors: ConfigurationError[] = [];
	for (const component of options.components) {
		try {
			const binding = await initBinding(component, [...loaded.values()], options);
			loaded.set(component.name, { component, binding });
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

async function initBinding(
	component: ResolvedComponent,
	others: readonly LoadedBinding[],
	{ registry, onReport }: RuntimeOptions,
): Promise<Binding> {
	const { name, type, source } = component;
	const namesake = others.find((other) => other.component.name === name);
	if (namesake !== undefined) {
		const message = `component "${name}" (${source}): there is another of that name at ${namesake.component.source}`;
		throw new ConfigurationError(message, { component: name });
	}
	const binding = registry.createBinding(type);
	if (binding === undefined) {
		const message = `component "${name}" (${source}): there is no component type ${JSON.stringify(type)}`;
		throw new ConfigurationError(message, { component: name, property: "type" });
	}
	binding.onReport((report) => onReport?.(name, report));
	try {
		const warnings = await binding.init(component);
		for (const message of warnings) onReport?.(name, { level: "warn", code: "component-warning", message });
		refuseSharedConnections(component, binding, others);
		return binding;
	} catch (error) {
		await binding.close().catch(() => {});
		throw error;
	}
}

/** A broker closes the older of two connections with one client identifier: such components would evict each other for ever. */
function refuseSharedConnections(
	component: ResolvedComponent,
	binding: Binding,
	others: readonly LoadedBinding[],
): void {
	for (const { broker, clientId } of binding.connections) {
		const other = others.find(({ binding: { connections } }) =>
			connections.some((connection) => connection.broker === broker && connection.clientId === clientId),
		);
		if (other === undefined) continue;
		const { name, source } = component;
		throw new ConfigurationError(
			`component "${name}" (${source}): component "${other.component.name}" (${other.component.source}) uses the same client identifier ` +
				`${JSON.stringify(clientId)} at the same broker ${broker}, expected another "consumerID" for one of them, ` +
				`or "splitConnections: true" in both where one only reads and the other only writes`,
			{ component: name, property: "consumerID" },
		);
	}
}

function problemsOf(error: unknown, component: ResolvedComponent): readonly ConfigurationError[] {
	if (error instanceof AggregateError) return error.errors.flatMap((one: unknown) => problemsOf(one, component));
	if (error instanceof ConfigurationError) return [error];
	const { name, source } = component;
	const message = `component "${name}" (${source}): ${error instanceof Error ? error.message : error}`;
	return [new ConfigurationError(message, { component: name, cause: error })];
}

function reportLeftOut(error: ConfigurationError, { name }: ResolvedComponent, { onReport }: RuntimeOptions): void {
	onReport?.(name, {
		level: "warn",
		code: "component-left-out",
		message: `left out (ignoreErrors): ${error.message}`,
		error,
	});
}
