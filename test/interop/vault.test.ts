import { expect, onTestFinished, test } from "vitest";
import { SecretError } from "../../src/errors.js";
import { Vault } from "../../src/secretstores/vault.js";
import { eventually } from "../support/eventually.js";
import { findProgram } from "../support/find-program.js";
import { freePort } from "../support/free-port.js";
import { describeWith } from "../support/left-out.js";
import { startProgram } from "../support/process.js";
import { tempFolder } from "../support/temp-folder.js";

const ROOT_TOKEN = "canary-root";

/** A Vault in memory, with `secret` of version 2, as its developers' mode has it, and `kv1` of version 1. */
async function startVault() {
	const home = await tempFolder();
	const address = `127.0.0.1:${await freePort()}`;
	const args = [
		"server",
		"-dev",
		`-dev-root-token-id=${ROOT_TOKEN}`,
		`-dev-listen-address=${address}`,
		"-dev-no-store-token",
	];
	const program = startProgram(findProgram("vault") ?? "vault", args, { cwd: home.path, env: { HOME: home.path } });
	onTestFinished(async () => {
		await program[Symbol.asyncDispose]();
		await home[Symbol.asyncDispose]();
	});
	const url = `http://${address}`;
	const call = async (method: string, path: string, body?: unknown) => {
		const headers = { "x-vault-token": ROOT_TOKEN };
		const answer = await fetch(`${url}/v1/${path}`, {
			method,
			headers,
			...(body !== undefined && { body: JSON.stringify(body) }),
		});
		if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
		return (await answer.json().catch(() => undefined)) as
			| { readonly auth?: { readonly client_token: string } }
			| undefined;
	};
	await eventually(() => call("GET", "sys/health"), { timeoutMs: 20_000, everyMs: 100 });
	await call("POST", "sys/mounts/kv1", { type: "kv", options: { version: "1" } });
	return { url, call };
}

async function open(vaultAddr: string, more: Readonly<Record<string, string>> = {}): Promise<Vault> {
	const vault = new Vault("/");
	onTestFinished(() => vault.close());
	await vault.init({ name: "vault", properties: { vaultAddr, vaultToken: ROOT_TOKEN, ...more } });
	return vault;
}

describeWith("vault", "the real Vault", () => {
	test("secrets of both versions of its engine; a new value is read the next time", async () => {
		const { url, call } = await startVault();
		await call("POST", "secret/data/dapr/mqtt", { data: { username: "u", password: "one" } });
		await call("POST", "kv1/dapr/mqtt", { username: "u", password: "old" });
		const second = await open(url);
		expect({ ...(await second.getSecret("mqtt")) }).toEqual({ username: "u", password: "one" });
		await call("POST", "secret/data/dapr/mqtt", { data: { username: "u", password: "two" } });
		expect((await second.getSecret("mqtt")).password).toBe("two");
		const first = await open(url, { enginePath: "kv1" });
		expect({ ...(await first.getSecret("mqtt")) }).toEqual({ username: "u", password: "old" });
	});

	test("a token with a policy for one secret reads that one, of either version, and is refused others", async () => {
		const { url, call } = await startVault();
		await call("POST", "secret/data/dapr/mine", { data: { a: "1" } });
		await call("POST", "kv1/dapr/mine", { a: "old" });
		const policy =
			'path "secret/data/dapr/mine" { capabilities = ["read"] }\npath "kv1/dapr/mine" { capabilities = ["read"] }';
		await call("PUT", "sys/policies/acl/mine", { policy });
		const token = (await call("POST", "auth/token/create", { policies: ["mine"] }))!.auth!.client_token;
		const store = await open(url, { vaultToken: token });
		expect({ ...(await store.getSecret("mine")) }).toEqual({ a: "1" });
		const older = await open(url, { vaultToken: token, enginePath: "kv1" });
		expect({ ...(await older.getSecret("mine")) }).toEqual({ a: "old" });
		const refused = await store.getSecret("other").catch((error: unknown) => error);
		expect(refused).toBeInstanceOf(SecretError);
		expect(String(refused)).toMatch(/Vault refuses our token at "secret\/data\/dapr\/other" \(403\)/);
	});

	test("what is not there, and a Vault that is sealed, which may be had later", async () => {
		const { url, call } = await startVault();
		const store = await open(url);
		const missing = (await store.getSecret("nothing").catch((error: unknown) => error)) as SecretError;
		expect([missing.isTransient, missing.message]).toEqual([
			false,
			'secret store "vault": secret "nothing": Vault has none at "secret/data/dapr/nothing"',
		]);
		await call("PUT", "sys/seal");
		const sealed = (await store.getSecret("nothing").catch((error: unknown) => error)) as SecretError;
		expect([sealed.isTransient, sealed.message]).toEqual([
			true,
			expect.stringMatching(/Vault answers 503: Vault is sealed/),
		]);
	});
});
