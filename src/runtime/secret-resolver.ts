import { setTimeout as delay } from "node:timers/promises";
import type { Properties } from "../bindings/binding.js";
import { formatDuration } from "../bindings/duration.js";
import { nearestName } from "../bindings/nearest-name.js";
import { ConfigurationError, SecretError } from "../errors.js";
import type { SecretStore } from "../secretstores/secret-store.js";
import { type ComponentManifest, describeComponent, type MetadataItem } from "./component-manifest.js";

/** Where references lead to. */
export interface ReferenceTargets {
	/** The secret stores that are ready, by component name. */
	readonly stores: ReadonlyMap<string, SecretStore>;
	/** Secret stores that are there but cannot be used, and why: `is not in the scopes of app "orders" (secrets.yaml:1)`. */
	readonly unusableStores: ReadonlyMap<string, string>;
	readonly env: Readonly<Record<string, string | undefined>>;
}

/** Between two attempts to reach a store. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;
/** A key that differs in more characters was not meant. */
const MAX_SLIPS = 2;

/** Resolves the `secretKeyRef`s and `envRef`s of one component. Asks for each secret once. */
export class SecretResolver {
	readonly #manifest: ComponentManifest;
	readonly #targets: ReferenceTargets;
	readonly #secrets = new Map<string, Promise<Properties>>();
	readonly #startedAt = performance.now();

	constructor(manifest: ComponentManifest, targets: ReferenceTargets) {
		this.#manifest = manifest;
		this.#targets = targets;
	}

	/**
	 * The item's text: of its secret, else its value, else of its environment variable; undefined when it has none of them.
	 * Rejects with SecretError or ConfigurationError, which name what is missing and never hold a value.
	 */
	async resolve(item: MetadataItem): Promise<string | undefined> {
		if (item.secretKeyRef !== undefined) {
			const { name, key } = item.secretKeyRef;
			return this.#secret(item, name, key || name);
		}
		if (item.value !== undefined || item.envRef === undefined) return item.value;
		const refusal = whyRefused(item.envRef, this.#targets.env);
		if (refusal !== undefined) throw this.#configurationError(item, `envRef ${JSON.stringify(item.envRef)} ${refusal}`);
		const value = readVariable(this.#targets.env, item.envRef);
		if (value !== undefined) return value;
		throw this.#configurationError(item, `environment variable ${JSON.stringify(item.envRef)} is not set`);
	}

	async #secret(item: MetadataItem, name: string, key: string): Promise<string> {
		const storeName = this.#manifest.secretStore;
		if (storeName === undefined) {
			const message = `secretKeyRef ${JSON.stringify(name)} needs a secret store: name one in auth.secretStore`;
			throw this.#configurationError(item, `${message}, ${this.#storesInWords()}`);
		}
		const store = this.#targets.stores.get(storeName);
		if (store === undefined) throw this.#secretError(item, storeName, key, this.#whyNoStore(storeName));
		const secret = await this.#fetch(store, name).catch((cause: unknown) => {
			throw this.#secretError(item, storeName, key, cause instanceof Error ? cause.message : String(cause), cause);
		});
		const value = Object.hasOwn(secret, key) ? secret[key] : undefined;
		if (value) return value;
		const problem = value === "" ? `key ${JSON.stringify(key)} is empty` : `has no key ${JSON.stringify(key)}`;
		const near = value === "" ? undefined : nearestName(key, Object.keys(secret), MAX_SLIPS);
		const hint = near === undefined ? "" : `, did you mean ${JSON.stringify(near)}`;
		const message = `secret store ${JSON.stringify(storeName)}: secret ${JSON.stringify(name)}: ${problem}${hint}`;
		throw this.#secretError(item, storeName, key, message);
	}

	#fetch(store: SecretStore, name: string): Promise<Properties> {
		const known = this.#secrets.get(name);
		if (known !== undefined) return known;
		const secret = this.#ask(store, name);
		this.#secrets.set(name, secret);
		return secret;
	}

	/** A store that can't be asked now is asked again, with growing pauses, until the component's `initTimeout` has passed. */
	async #ask(store: SecretStore, name: string): Promise<Properties> {
		const { initTimeoutMs } = this.#manifest;
		for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
			try {
				return await store.getSecret(name);
			} catch (error) {
				if (!(error instanceof SecretError) || !error.isTransient) throw error;
				const left = this.#startedAt + initTimeoutMs - performance.now();
				if (left <= 0) {
					const message = `${error.message}; tried for ${formatDuration(initTimeoutMs)} (spec.initTimeout)`;
					throw new SecretError(message, { store: error.store, key: error.key, cause: error, isTransient: true });
				}
				await delay(Math.min(pauseMs, left));
			}
		}
	}

	#whyNoStore(name: string): string {
		const unusable = this.#targets.unusableStores.get(name);
		if (unusable !== undefined) return `secret store ${JSON.stringify(name)} ${unusable}`;
		return `secret store ${JSON.stringify(name)} is not defined, ${this.#storesInWords()}`;
	}

	#storesInWords(): string {
		const names = [...this.#targets.stores.keys()].map((name) => JSON.stringify(name));
		return names.length === 0 ? "none is defined" : `there is ${names.join(", ")}`;
	}

	#configurationError(item: MetadataItem, message: string): ConfigurationError {
		const component = this.#manifest.name;
		return new ConfigurationError(this.#message(item, message), { component, property: item.name });
	}

	#secretError(item: MetadataItem, store: string, key: string, message: string, cause?: unknown): SecretError {
		const isTransient = cause instanceof SecretError && cause.isTransient;
		return new SecretError(this.#message(item, message), { store, key, cause, isTransient });
	}

	#message(item: MetadataItem, message: string): string {
		return `${describeComponent(this.#manifest.name, item.source)}: field ${JSON.stringify(item.name)}: ${message}`;
	}
}

// dapr: pkg/runtime/processor/secret/secret.go
function whyRefused(name: string, env: ReferenceTargets["env"]): string | undefined {
	if (name === "") return "is empty, expected the name of an environment variable";
	if (name.includes(" ")) return "holds a space, expected the name of an environment variable";
	if (/^(?:APP_API_TOKEN$|DAPR_)/i.test(name)) {
		return "is refused: APP_API_TOKEN and names that begin with DAPR_ are the sidecar's own";
	}
	const listed = readVariable(env, "DAPR_ENV_KEYS")?.split(" ").filter(Boolean) ?? [];
	return listed.length === 0 || listed.includes(name) ? undefined : "is refused: DAPR_ENV_KEYS does not list it";
}

function readVariable(env: ReferenceTargets["env"], name: string): string | undefined {
	return Object.hasOwn(env, name) ? env[name] : undefined;
}
