import { Mqtt3Binding } from "../bindings/mqtt3-binding.js";
import { type CreateBinding, Registry } from "../runtime/registry.js";
import { Kubernetes } from "../secretstores/kubernetes.js";
import { LocalEnv } from "../secretstores/local-env.js";
import { LocalFile } from "../secretstores/local-file.js";
import { Vault } from "../secretstores/vault.js";
import type { Environment } from "./sidecar.js";

const createMqtt3: CreateBinding = (replaced) =>
	new Mqtt3Binding({ replaces: replaced.filter((binding) => binding instanceof Mqtt3Binding) });

/** The component types that this program has. Relative paths in component files begin in the folder `cwd`. */
export function createRegistry(env: Environment, cwd: string): Registry {
	return new Registry()
		.binding("bindings.mqtt3", createMqtt3)
		.binding("bindings.mqtt", createMqtt3)
		.secretStore("secretstores.local.env", () => new LocalEnv(env))
		.secretStore("secretstores.local.file", () => new LocalFile(cwd))
		.secretStore("secretstores.kubernetes", () => new Kubernetes({ env, cwd }))
		.secretStore("secretstores.hashicorp.vault", () => new Vault(cwd));
}
