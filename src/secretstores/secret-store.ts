import type { ComponentMetadata, Properties } from "../bindings/binding.js";

/** A place that keeps secrets. */
export interface SecretStore {
	/** Validates metadata. Rejects with ConfigurationError. */
	init(metadata: ComponentMetadata): Promise<void>;
	/** All values under one secret name. Rejects with SecretError, which names store and key, never a value. */
	getSecret(name: string): Promise<Properties>;
}
