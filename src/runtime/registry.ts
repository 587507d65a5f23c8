import assert from "node:assert";
import type { Binding } from "../bindings/binding.js";
import type { SecretStore } from "../secretstores/secret-store.js";

/** Makes a binding. `replaced`: bindings of any type that are about to be closed, whose sessions it may go on with. */
export type CreateBinding = (replaced: readonly Binding[]) => Binding;

/** Which component types there are, and how one is made. Types are compared without regard to case after the first dot, as in Dapr. */
export class Registry {
	readonly #bindings = new Map<string, CreateBinding>();
	readonly #secretStores = new Map<string, () => SecretStore>();

	/** Registers a binding's type. A type can be registered once. */
	binding(type: string, create: CreateBinding): this {
		return this.#register(this.#bindings, type, create);
	}

	/** Registers a secret store's type. A type can be registered once. */
	secretStore(type: string, create: () => SecretStore): this {
		return this.#register(this.#secretStores, type, create);
	}

	/** Undefined when there is no such type. `replaced`: those whose place it takes. */
	createBinding(type: string, replaced: readonly Binding[] = []): Binding | undefined {
		return this.#bindings.get(typeKey(type))?.(replaced);
	}

	/** Undefined when there is no such type. */
	createSecretStore(type: string): SecretStore | undefined {
		return this.#secretStores.get(typeKey(type))?.();
	}

	/** Bindings first, then secret stores, each in the order of registration. */
	get types(): readonly string[] {
		return [...this.#bindings.keys(), ...this.#secretStores.keys()];
	}

	#register<Create>(factories: Map<string, Create>, type: string, create: Create): this {
		assert(!this.types.includes(typeKey(type)), `component type ${type} is registered twice`);
		factories.set(typeKey(type), create);
		return this;
	}
}

/** The form in which types are compared: the category as written, the rest in lower case. */
export function typeKey(type: string): string {
	const dot = type.indexOf(".");
	return dot < 0 ? type : type.slice(0, dot) + type.slice(dot).toLowerCase();
}
