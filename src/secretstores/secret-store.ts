import type { ComponentMetadata, Properties } from "../bindings/binding.js";

/** A place that keeps secrets. */
export interface SecretStore {
	/** Validates metadata. Rejects with ConfigurationError. Returns the warnings to show. */
	init(metadata: ComponentMetadata): Promise<readonly string[]>;
	/** All values under one secret name. Rejects with SecretError, which names store and key, never a value, and says whether it may be had later. */
	getSecret(name: string): Promise<Properties>;
	/** The files that it reads, known once init() has passed. */
	readonly files?: readonly string[];
	/** Lets go of connections. */
	close?(): Promise<void>;
}
