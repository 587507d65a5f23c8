import { expect, it } from "vitest";
import { SecretError } from "../errors.js";
import { LocalEnv } from "./local-env.js";

async function createStore(env: Record<string, string>, properties: Record<string, string> = {}): Promise<LocalEnv> {
	const store = new LocalEnv(env);
	await store.init({ name: "env", properties });
	return store;
}

it("gives a variable under its name", async () => {
	const store = await createStore({ MQTT_PASSWORD: "s3cret" });
	expect({ ...(await store.getSecret("MQTT_PASSWORD")) }).toEqual({ MQTT_PASSWORD: "s3cret" });
});

it("puts the prefix in front of the name that it looks for, not of the name that it gives", async () => {
	const store = await createStore({ SHOP_PASSWORD: "s3cret", PASSWORD: "other" }, { Prefix: "SHOP_" });
	expect({ ...(await store.getSecret("PASSWORD")) }).toEqual({ PASSWORD: "s3cret" });
});

it.each(["MISSING", "toString", "__proto__"])("says that %s is not set", async (name) => {
	const store = await createStore({});
	const error: unknown = await store.getSecret(name).catch((reason) => reason);
	expect(error).toBeInstanceOf(SecretError);
	expect(error).toMatchObject({
		message: `secret store "env": environment variable "${name}" is not set`,
		store: "env",
		key: name,
	});
});

it.each(["APP_API_TOKEN", "DAPR_API_TOKEN", "dapr_x", "app_api_token"])(
	"refuses %s, the sidecar's own",
	async (name) => {
		const store = await createStore({ [name]: "s3cret" });
		await expect(store.getSecret(name)).rejects.toThrow(
			`secret store "env": environment variable "${name}" is refused: APP_API_TOKEN and names that begin with DAPR_ are the sidecar's own`,
		);
	},
);

it("refuses them when the prefix makes them", async () => {
	const store = await createStore({ DAPR_API_TOKEN: "s3cret" }, { prefix: "DAPR_" });
	await expect(store.getSecret("API_TOKEN")).rejects.toThrow(/"DAPR_API_TOKEN" is refused/);
});

it("warns of fields that it does not know", async () => {
	const metadata = { name: "env", properties: { prefx: "A" }, sources: { prefx: "c.yaml:9" }, source: "c.yaml:1" };
	expect(await new LocalEnv({}).init(metadata)).toEqual([
		'component "env" (c.yaml:9): unknown field "prefx" is ignored, known: prefix',
	]);
});
