import { ConfigurationError } from "../errors.js";
import type { SecretStore } from "../secretstores/secret-store.js";
import { readComponentFolders } from "./component-loader.js";
import { type ComponentManifest, describeComponent } from "./component-manifest.js";
import { resolveComponent, type ResolveOptions } from "./component-resolver.js";
import { selectComponents } from "./component-selection.js";
import type { ComponentRegistry } from "./registry.js";
import type { ResolvedComponent } from "./runtime.js";

/** Where components come from and whom they are for. */
export interface LoadOptions {
	/** Component folders, in order. */
	readonly paths: readonly string[];
	readonly appId: string;
	/** Absent: components of every namespace. */
	readonly namespace?: string | undefined;
	readonly env: Readonly<Record<string, string | undefined>>;
	readonly registry: ComponentRegistry;
	readonly onWarning: (message: string) => void;
}

/**
 * Reads the component folders and resolves the bindings that are meant for this app: secret stores first, then bindings in the order
 * of folders, file names and documents. Secret stores are not among the result.
 *
 * Rejects with an AggregateError that lists everything that is wrong in all files (ConfigurationError, SecretError), each with
 * `file:line`; also when there is no binding at all. What a component with `ignoreErrors` has wrong is only warned about.
 */
export async function loadComponents(options: LoadOptions): Promise<readonly ResolvedComponent[]> {
	const folders = await readComponentFolders(options.paths, options.onWarning);
	const selection = selectComponents(folders.documents, options);
	const problems: unknown[] = [...folders.problems, ...selection.problems];

	const stores = new Map<string, SecretStore>();
	const unusableStores = new Map(selection.unusable);
	const resolveOptions: ResolveOptions = {
		stores,
		unusableStores,
		env: options.env,
		placeholders: { appId: options.appId, namespace: options.namespace, podName: options.env.POD_NAME },
		onWarning: options.onWarning,
	};
	const attempt = async (manifest: ComponentManifest, action: () => Promise<void>): Promise<void> => {
		try {
			await action();
		} catch (error) {
			if (manifest.ignoreErrors) warn
		}
	};
}
