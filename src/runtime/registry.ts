import type { Binding } from "../bindings/binding.js";
import type { SecretStore } from "../secretstores/secret-store.js";

/** Which component types there are, and how one is made. */
export interface ComponentRegistry {
	binding(type: string, create: () => Binding): this;
	secretStore(type: string, create: () => SecretStore): this;
	/** Undefined when there is no such type. Types are compared without regard to case after the first dot, as in Dapr. */
	createBinding(type: string): Binding | undefined;
	createSecretStore(type: string): SecretStore | undefined;
	readonly types: readonly string[];
}
