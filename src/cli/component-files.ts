import type { Logger } from "../diagnostics/logger.js";
import type { WantedComponents } from "../runtime/component-reloader.js";
import { DrawnUuids } from "../runtime/drawn-uuids.js";
import { LoadError, type LoadOptions, loadComponents } from "../runtime/load-components.js";
import type { Registry } from "../runtime/registry.js";
import type { RunOptions } from "./run-options.js";
import type { Environment } from "./sidecar.js";

export interface ComponentFilesOptions {
	readonly options: Pick<RunOptions, "resourcesPaths" | "appId">;
	readonly env: Environment;
	readonly registry: Registry;
	readonly logger: Logger;
}

/** The component files of one sidecar, as often as they are read. */
export class ComponentFiles {
	readonly #options: ComponentFilesOptions;
	readonly #uuids = new DrawnUuids();
	/** Warnings of the latest reading: what is still so is not said again. */
	#warnings: ReadonlySet<string> = new Set();
	#isFirst = true;

	constructor(options: ComponentFilesOptions) {
		this.#options = options;
	}

	/** What is in them now. What is wrong in one file does not hide what is in another. The first time nothing to use is a problem. */
	async load(): Promise<WantedComponents> {
		const { options, env, registry, logger } = this.#options;
		const secretFiles: string[] = [];
		const warnings = new Set<string>();
		const allowNone = !this.#isFirst;
		this.#isFirst = false;
		const loadOptions: LoadOptions = {
			paths: options.resourcesPaths,
			appId: options.appId,
			namespace: env.NAMESPACE || undefined,
			env,
			registry,
			uuids: this.#uuids,
			allowNone,
			onSecretFile: (file) => void secretFiles.push(file),
			onWarning: (message) => {
				if (!this.#warnings.has(message) && !warnings.has(message)) logger.warn(message);
				warnings.add(message);
			},
		};
		try {
			const { components, resiliency } = await loadComponents(loadOptions);
			this.#uuids.keepOnly(new Set(components.map(({ name }) => name)));
			return { components, resiliency, problems: [], secretFiles };
		} catch (error) {
			if (!(error instanceof LoadError)) throw error;
			return { components: error.components, resiliency: error.resiliency, problems: error.errors, secretFiles };
		} finally {
			this.#warnings = warnings;
		}
	}
}
