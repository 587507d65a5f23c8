import { expect, it } from "vitest";
import { LocalEnv } from "../secretstores/local-env.js";
import { Registry } from "./registry.js";

function createRegistry(): Registry {
	return new Registry().secretStore("secretstores.local.env", () => new LocalEnv({}));
}

it("makes a component of a registered type, a new one each time", () => {
	const registry = createRegistry();
	const store = registry.createSecretStore("secretstores.local.env");
	expect(store).toBeInstanceOf(LocalEnv);
	expect(registry.createSecretStore("secretstores.local.env")).not.toBe(store);
});

it("compares types without regard to case after the first dot", () => {
	expect(createRegistry().createSecretStore("secretstores.LOCAL.Env")).toBeInstanceOf(LocalEnv);
	expect(createRegistry().createSecretStore("SecretStores.local.env")).toBeUndefined();
});

it.each(["secretstores.other", "secretstores", "", "__proto__", "constructor"])("makes nothing of type %j", (type) => {
	expect(createRegistry().createSecretStore(type)).toBeUndefined();
	expect(createRegistry().createBinding(type)).toBeUndefined();
});

it("lists its types", () => {
	expect(createRegistry().types).toEqual(["secretstores.local.env"]);
});

it("does not take one type twice", () => {
	expect(() => createRegistry().secretStore("secretstores.Local.env", () => new LocalEnv({}))).toThrow(
		"component type secretstores.Local.env is registered twice",
	);
});
