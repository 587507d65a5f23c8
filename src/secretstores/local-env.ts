import type { ComponentMetadata, Properties } from "../bindings/binding.js";
import { SecretError } from "../errors.js";
import type { SecretStore } from "./secret-store.js";
import { readStoreMetadata } from "./store-metadata.js";

/** Dapr's `secretstores.local.env`: a secret is an environment variable. */
export class LocalEnv implements SecretStore {
	readonly #env: Readonly<Record<string, string | undefined>>;
	#name = "";
	#prefix = "";

	/** `env` is the environment to look in. */
	constructor(env: Readonly<Record<string, string | undefined>>) {
		this.#env = env;
	}

	/** Takes `prefix`, which is put in front of every name that is asked for. */
	async init(metadata: ComponentMetadata): Promise<readonly string[]> {
		const { values, warnings } = readStoreMetadata(metadata, ["prefix"]);
		this.#name = metadata.name;
		this.#prefix = values.get("prefix") ?? "";
		return warnings;
	}

	/** The variable's value, under the name that was asked for. Rejects with SecretError when it is not set, or the sidecar's own. */
	async getSecret(name: string): Promise<Properties> {
		const variable = this.#prefix + name;
		if (/^(?:APP_API_TOKEN$|DAPR_)/i.test(variable)) {
			throw this.#error(name, `is refused: APP_API_TOKEN and names that begin with DAPR_ are the sidecar's own`);
		}
		const value = Object.hasOwn(this.#env, variable) ? this.#env[variable] : undefined;
		if (value === undefined) throw this.#error(name, "is not set");
		return Object.assign(Object.create(null), { [name]: value });
	}

	#error(key: string, problem: string): SecretError {
		const variable = JSON.stringify(this.#prefix + key);
		const message = `secret store ${JSON.stringify(this.#name)}: environment variable ${variable} ${problem}`;
		return new SecretError(message, { store: this.#name, key });
	}
}
