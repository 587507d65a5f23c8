import { expect } from "vitest";
import { BindingError } from "../../src/errors.js";
import { LoadError, type LoadOptions, loadComponents } from "../../src/runtime/load-components.js";
import { Registry } from "../../src/runtime/registry.js";
import type { ResolvedComponent } from "../../src/runtime/runtime.js";
import { LocalEnv } from "../../src/secretstores/local-env.js";
import { LocalFile } from "../../src/secretstores/local-file.js";
import { type TempFolder, tempFolder } from "./temp-folder.js";

/** What loading came to: the components that could be loaded, what an AggregateError held, and the warnings. */
export interface Outcome {
	readonly components: readonly ResolvedComponent[];
	/** Without the folder's path. */
	readonly problems: readonly string[];
	readonly warnings: readonly string[];
}

/** Loads the components of a folder with these files, as app `app`. */
export async function load(
	files: Readonly<Record<string, string>>,
	options: Partial<LoadOptions> = {},
): Promise<Outcome> {
	await using folder = await tempFolder(files);
	return await loadFolder(folder, options);
}

/** Loads the components of a folder, as app `app`. */
export async function loadFolder(folder: TempFolder, options: Partial<LoadOptions> = {}): Promise<Outcome> {
	const env = options.env ?? {};
	const noBinding = () => {
		throw new Error("loading makes no binding");
	};
	const registry = new Registry()
		.binding("bindings.mqtt3", noBinding)
		.binding("bindings.mqtt", noBinding)
		.secretStore("secretstores.local.env", () => new LocalEnv(env))
		.secretStore("secretstores.local.file", () => new LocalFile(folder.path));
	const warnings: string[] = [];
	const relative = (message: string) => message.replaceAll(`${folder.path}/`, "").replaceAll(folder.path, "FOLDER");
	const onWarning = (message: string) => warnings.push(relative(message));
	const outcome = { components: [], problems: [], warnings };
	try {
		const { components } = await loadComponents({
			paths: [folder.path],
			appId: "app",
			env,
			registry,
			onWarning,
			...options,
		});
		return { ...outcome, components };
	} catch (error) {
		if (!(error instanceof LoadError)) throw error;
		for (const problem of error.errors) expect(problem).toBeInstanceOf(BindingError);
		return { ...outcome, components: error.components, problems: error.errors.map(({ message }) => relative(message)) };
	}
}

/** A component document of seven lines; the fifth holds the type, the sixth the metadata, the seventh what else there is. */
export function component(name: string, items = "", rest = "", type = "bindings.mqtt3"): string {
	return `apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {name: ${name}}
spec:
  type: ${type}
  metadata: [${items}]
${rest}
`;
}

/** Each component's name and properties. */
export function summary({ components }: Outcome): unknown {
	return components.map(({ name, properties }) => ({ name, ...properties }));
}
