import { describe, expect, it } from "vitest";
import { ConfigurationError, SecretError } from "../errors.js";
import type { SecretStore } from "../secretstores/secret-store.js";
import type { ComponentManifest, MetadataItem } from "./component-manifest.js";
import { SecretResolver } from "./secret-resolver.js";

const CANARY = "s3cret-canary";

/** Keeps one secret, `mqtt`, and counts how often it is asked. */
class CountingStore implements SecretStore {
	asked = 0;
	async init(): Promise<readonly string[]> {
		return [];
	}
	async getSecret(name: string) {
		this.asked++;
		if (name !== "mqtt")
			throw new SecretError(`secret store "vault": no secret "${name}"`, { store: "vault", key: name });
		return { password: CANARY, mqtt: `${CANARY}-2`, empty: "" };
	}
}

function createResolver({
	secretStore = "vault",
	env = {},
	store = new CountingStore(),
	unusable = {},
	initTimeoutMs = 5_000,
}: {
	secretStore?: string | null;
	env?: Record<string, string>;
	store?: SecretStore | null;
	unusable?: Record<string, string>;
	initTimeoutMs?: number;
} = {}): SecretResolver {
	const manifest: ComponentManifest = {
		name: "orders",
		type: "bindings.mqtt3",
		version: "v1",
		ignoreErrors: false,
		initTimeoutMs,
		metadata: [],
		secretStore: secretStore ?? undefined,
		source: "c.yaml:1",
		warnings: [],
	};
	return new SecretResolver(manifest, {
		stores: new Map(store === null ? [] : [["vault", store]]),
		unusableStores: new Map(Object.entries(unusable)),
		env,
	});
}

function item(rest: Partial<MetadataItem>): MetadataItem {
	return { name: "password", source: "c.yaml:7", ...rest };
}

async function rejection(resolver: SecretResolver, rest: Partial<MetadataItem>): Promise<Error> {
	const error: unknown = await resolver.resolve(item(rest)).catch((reason) => reason);
	if (!(error instanceof Error)) throw new Error(`resolved with ${String(error)}`);
	expect(`${error.stack} ${String(error.cause)}`).not.toContain(CANARY);
	return error;
}

const WHERE = 'component "orders" (c.yaml:7): field "password": ';

describe("secretKeyRef", () => {
	it("gives the secret's value, and wins over a value and an envRef", async () => {
		const rest = { secretKeyRef: { name: "mqtt", key: "password" }, value: "other", envRef: "MISSING" };
		expect(await createResolver().resolve(item(rest))).toBe(CANARY);
	});

	it.each([undefined, ""])("with the key %j uses the secret's name as key", async (key) => {
		expect(await createResolver().resolve(item({ secretKeyRef: { name: "mqtt", key } }))).toBe(`${CANARY}-2`);
	});

	it("asks for each secret once", async () => {
		const store = new CountingStore();
		const resolver = createResolver({ store });
		for (const key of ["password", "mqtt", "empty", "password"]) {
			await resolver.resolve(item({ secretKeyRef: { name: "mqtt", key } })).catch(() => undefined);
		}
		expect(store.asked).toBe(1);
	});

	it("without a store asks to name one", async () => {
		const secretKeyRef = { name: "mqtt" };
		const error = await rejection(createResolver({ secretStore: null }), { secretKeyRef });
		expect(error).toBeInstanceOf(ConfigurationError);
		expect(error.message).toBe(
			`${WHERE}secretKeyRef "mqtt" needs a secret store: name one in auth.secretStore, there is "vault"`,
		);
		expect((await rejection(createResolver({ secretStore: null, store: null }), { secretKeyRef })).message).toBe(
			`${WHERE}secretKeyRef "mqtt" needs a secret store: name one in auth.secretStore, none is defined`,
		);
	});

	it("with a store that is not there lists those that are", async () => {
		const error = await rejection(createResolver({ secretStore: "vualt" }), { secretKeyRef: { name: "mqtt" } });
		expect(error).toMatchObject({
			message: `${WHERE}secret store "vualt" is not defined, there is "vault"`,
			code: "ERR_SECRET",
			store: "vualt",
			key: "mqtt",
		});
	});

	it("with a store that cannot be used says why", async () => {
		const unusable = { old: 'is not in the scopes of app "a" (s.yaml:1)' };
		const error = await rejection(createResolver({ secretStore: "old", unusable }), { secretKeyRef: { name: "mqtt" } });
		expect(error.message).toBe(`${WHERE}secret store "old" is not in the scopes of app "a" (s.yaml:1)`);
	});

	it.each([
		["mqtt", "pasword", 'secret store "vault": secret "mqtt": has no key "pasword", did you mean "password"'],
		["mqtt", "toString", 'secret store "vault": secret "mqtt": has no key "toString"'],
		["mqtt", "__proto__", 'secret store "vault": secret "mqtt": has no key "__proto__"'],
		["mqtt", "empty", 'secret store "vault": secret "mqtt": key "empty" is empty'],
		["other", "key", 'secret store "vault": no secret "other"'],
	])("to secret %s, key %s names store and key, never a value", async (name, key, message) => {
		const error = await rejection(createResolver(), { secretKeyRef: { name, key } });
		expect(error).toMatchObject({ message: WHERE + message, code: "ERR_SECRET", store: "vault", key });
	});
});

describe("envRef", () => {
	it("gives the variable's value, also an empty one", async () => {
		const resolver = createResolver({ env: { MQTT_PASSWORD: CANARY, EMPTY: "" } });
		expect(await resolver.resolve(item({ envRef: "MQTT_PASSWORD" }))).toBe(CANARY);
		expect(await resolver.resolve(item({ envRef: "EMPTY" }))).toBe("");
	});

	it.each(["", "value"])("counts for nothing beside the value %j", async (value) => {
		expect(await createResolver({ env: { A: CANARY } }).resolve(item({ value, envRef: "A" }))).toBe(value);
	});

	it.each([
		["MISSING", 'environment variable "MISSING" is not set'],
		["toString", 'environment variable "toString" is not set'],
		["", 'envRef "" is empty, expected the name of an environment variable'],
		["A B", 'envRef "A B" holds a space, expected the name of an environment variable'],
		[
			"APP_API_TOKEN",
			`envRef "APP_API_TOKEN" is refused: APP_API_TOKEN and names that begin with DAPR_ are the sidecar's own`,
		],
		[
			"dapr_host_ip",
			`envRef "dapr_host_ip" is refused: APP_API_TOKEN and names that begin with DAPR_ are the sidecar's own`,
		],
	])("to %j fails with the reason", async (envRef, message) => {
		const env = { "A B": CANARY, APP_API_TOKEN: CANARY, dapr_host_ip: CANARY };
		const error = await rejection(createResolver({ env }), { envRef });
		expect(error).toMatchObject({
			message: WHERE + message,
			code: "ERR_CONFIGURATION",
			component: "orders",
			property: "password",
		});
	});

	it("may only name what DAPR_ENV_KEYS lists, if that is set", async () => {
		const resolver = createResolver({ env: { A: CANARY, B: "b", C: "c", DAPR_ENV_KEYS: "B C" } });
		expect(await resolver.resolve(item({ envRef: "C" }))).toBe("c");
		expect((await rejection(resolver, { envRef: "A" })).message).toBe(
			`${WHERE}envRef "A" is refused: DAPR_ENV_KEYS does not list it`,
		);
	});
});

it("an item without value and references has no text", async () => {
	expect(await createResolver().resolve(item({}))).toBeUndefined();
});

describe("a store that can't be asked now", () => {
	/** Away for the first `failures` questions. */
	class DistantStore extends CountingStore {
		readonly #failures: number;
		constructor(failures: number) {
			super();
			this.#failures = failures;
		}
		override async getSecret(name: string) {
			if (this.asked++ >= this.#failures) return { password: CANARY, mqtt: "", empty: "" };
			throw new SecretError(`secret store "vault": secret "${name}": can't be reached`, {
				store: "vault",
				isTransient: true,
			});
		}
	}
	const reference = { secretKeyRef: { name: "mqtt", key: "password" } };

	it("is asked again until it answers", async () => {
		const store = new DistantStore(3);
		expect(await createResolver({ store }).resolve(item(reference))).toBe(CANARY);
		expect(store.asked).toBe(4);
	});

	it("is given up after initTimeout, with its last words", async () => {
		const store = new DistantStore(Number.POSITIVE_INFINITY);
		const error = await rejection(createResolver({ store, initTimeoutMs: 300 }), reference);
		expect(error).toMatchObject({
			isTransient: true,
			message:
				'component "orders" (c.yaml:7): field "password": secret store "vault": secret "mqtt": can\'t be reached; tried for 300ms (spec.initTimeout)',
		});
		expect(store.asked).toBeGreaterThan(2);
		expect(store.asked).toBeLessThan(8);
	});

	it("is asked once where it has said no", async () => {
		const store = new CountingStore();
		await rejection(createResolver({ store }), { secretKeyRef: { name: "other" } });
		expect(store.asked).toBe(1);
	});
});
