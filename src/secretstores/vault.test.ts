import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { createCa } from "../../test/support/certificates.js";
import { tempFolder } from "../../test/support/temp-folder.js";
import { SecretError } from "../errors.js";
import { Vault } from "./vault.js";

const TOKEN = "s.canary-token";

/** Answers by path below `/v1/`: a status and a body. What was asked for is kept. */
async function startVault(
	answers: Readonly<Record<string, readonly [number, unknown]>>,
	tls?: { cert: string; key: string },
) {
	const asked: IncomingMessage[] = [];
	const listener: RequestListener = (request, response) => {
		asked.push(request);
		const [status, body] = answers[request.url!.slice("/v1/".length)] ?? [404, { errors: [] }];
		response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
	};
	const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	onTestFinished(() => {
		server.closeAllConnections();
		server.close();
	});
	const { port } = server.address() as AddressInfo;
	return { asked, url: `${tls === undefined ? "http" : "https"}://127.0.0.1:${port}` };
}

/** As Vault describes a mount. */
function mount(version: "1" | "2"): readonly [number, unknown] {
	return [200, { data: { type: "kv", options: version === "1" ? null : { version } } }];
}

async function open(properties: Readonly<Record<string, string>>, cwd = "/") {
	const vault = new Vault(cwd);
	onTestFinished(() => vault.close());
	const warnings = await vault.init({ name: "vault", properties });
	return { vault, warnings };
}

async function failureOf(secret: Promise<unknown>): Promise<SecretError> {
	const error = await secret.catch((reason: unknown) => reason);
	expect(error).toBeInstanceOf(SecretError);
	expect(String(error)).not.toContain("canary");
	return error as SecretError;
}

describe("secretstores.hashicorp.vault", () => {
	test("a secret of version 2, below the prefix dapr of the engine secret, as Dapr asks for it", async () => {
		const { url, asked } = await startVault({
			"sys/internal/ui/mounts/secret": mount("2"),
			"secret/data/dapr/mqtt": [200, { data: { data: { password: "pw", port: 1883, on: true, none: null } } }],
		});
		const { vault, warnings } = await open({ vaultAddr: `${url}/`, vaultToken: TOKEN });
		expect(warnings).toEqual([]);
		expect({ ...(await vault.getSecret("mqtt")) }).toEqual({ password: "pw", port: "1883", on: "true" });
		expect(asked.map(({ method, url: path }) => `${method} ${path}`)).toEqual([
			"GET /v1/sys/internal/ui/mounts/secret",
			"GET /v1/secret/data/dapr/mqtt",
		]);
		expect(asked[1]!.headers).toMatchObject({ "x-vault-token": TOKEN, "x-vault-request": "true" });
		await vault.getSecret("mqtt");
		expect(asked).toHaveLength(3);
	});

	test("a secret of version 1, another engine and prefix, names with slashes and spaces", async () => {
		const { url } = await startVault({
			"sys/internal/ui/mounts/team/kv": mount("1"),
			"team/kv/apps/a%20b/mqtt": [200, { data: { password: "pw" } }],
		});
		const { vault } = await open({ vaultAddr: url, vaultToken: TOKEN, enginePath: "/team/kv/", vaultKVPrefix: "apps" });
		expect({ ...(await vault.getSecret("a b/mqtt")) }).toEqual({ password: "pw" });
	});

	test("a token that may not ask for the version gets version 2, as in Dapr; without a prefix", async () => {
		const { url } = await startVault({
			"sys/internal/ui/mounts/secret": [403, { errors: ["permission denied"] }],
			"secret/data/mqtt": [200, { data: { data: { a: "1" } } }],
		});
		const { vault } = await open({ vaultAddr: url, vaultToken: TOKEN, vaultKVUsePrefix: "false" });
		expect({ ...(await vault.getSecret("mqtt")) }).toEqual({ a: "1" });
	});

	test("vaultValueType text: the whole data as JSON, under the secret's own name", async () => {
		const { url } = await startVault({
			"sys/internal/ui/mounts/secret": mount("2"),
			"secret/data/dapr/mqtt": [200, { data: { data: { a: "1", b: { c: 2 } } } }],
		});
		const { vault } = await open({ vaultAddr: url, vaultToken: TOKEN, vaultValueType: "text" });
		expect(await vault.getSecret("mqtt")).toEqual({ mqtt: '{"a":"1","b":{"c":2}}' });
	});

	test("a token in a file is read for each request", async () => {
		const { url, asked } = await startVault({
			"sys/internal/ui/mounts/secret": mount("2"),
			"secret/data/dapr/mqtt": [200, { data: { data: { a: "1" } } }],
		});
		await using folder = await tempFolder({ token: "first\n" });
		const { vault } = await open({ vaultAddr: url, vaultTokenMountPath: "token" }, folder.path);
		await vault.getSecret("mqtt");
		await folder.write("token", "second");
		await vault.getSecret("mqtt");
		expect(asked.map(({ headers }) => headers["x-vault-token"])).toEqual(["first", "first", "second"]);
		await folder.write("token", "");
		expect(await failureOf(vault.getSecret("mqtt"))).toMatchObject({
			message: expect.stringMatching(/holds no token/),
		});
	});

	test("its certificate is checked, by the CA that is given; skipVerify is warned of", async () => {
		const ca = await createCa("Vault CA");
		const { url } = await startVault(
			{ "sys/internal/ui/mounts/secret": mount("2"), "secret/data/dapr/mqtt": [200, { data: { data: { a: "1" } } }] },
			await ca.issue({ ipAddresses: ["127.0.0.1"], dnsNames: ["vault.test"] }),
		);
		await using folder = await tempFolder({ "ca.pem": ca.cert, "cas/ca.pem": ca.cert });
		for (const given of [
			{ caPem: ca.cert },
			{ caCert: "ca.pem" },
			{ caPath: "cas" },
			{ caPem: ca.cert, tlsServerName: "vault.test" },
		]) {
			const { vault } = await open(
				{ vaultAddr: url, vaultToken: TOKEN, ...given } as Record<string, string>,
				folder.path,
			);
			expect({ ...(await vault.getSecret("mqtt")) }).toEqual({ a: "1" });
		}
		const untrusting = await open({ vaultAddr: url, vaultToken: TOKEN });
		expect(await failureOf(untrusting.vault.getSecret("mqtt"))).toMatchObject({
			isTransient: true,
			message: expect.stringMatching(/can't be reached \((SELF_SIGNED_CERT|UNABLE_TO_VERIFY)/),
		});
		const trusting = await open({ vaultAddr: url, vaultToken: TOKEN, skipVerify: "true" });
		expect(trusting.warnings).toEqual([expect.stringMatching(/skipVerify: whoever answers/)]);
		expect({ ...(await trusting.vault.getSecret("mqtt")) }).toEqual({ a: "1" });
	});

	test("what Vault refuses is told apart from what it can't answer now; no answer, no secret and no token is quoted", async () => {
		const { url } = await startVault({
			"sys/internal/ui/mounts/secret": mount("2"),
			"secret/data/dapr/forbidden": [403, { errors: ["1 error occurred: permission denied"] }],
			"secret/data/dapr/sealed": [503, { errors: ["Vault is sealed"] }],
			"secret/data/dapr/odd": [200, { data: { data: "canary" } }],
		});
		const { vault } = await open({ vaultAddr: url, vaultToken: TOKEN });
		const failures = await Promise.all(
			["missing", "forbidden", "sealed", "odd"].map((name) => failureOf(vault.getSecret(name))),
		);
		expect(failures.map(({ message, isTransient }) => [message, isTransient])).toEqual([
			['secret store "vault": secret "missing": Vault has none at "secret/data/dapr/missing"', false],
			[
				'secret store "vault": secret "forbidden": Vault refuses our token at "secret/data/dapr/forbidden" (403)',
				false,
			],
			['secret store "vault": secret "sealed": Vault answers 503: Vault is sealed', true],
			['secret store "vault": secret "odd": no data at "secret/data/dapr/odd"', false],
		]);
		const absent = await open({ vaultAddr: "http://127.0.0.1:1", vaultToken: TOKEN });
		expect(await failureOf(absent.vault.getSecret("mqtt"))).toMatchObject({
			isTransient: true,
			message: expect.stringMatching(/Vault at "http:\/\/127\.0\.0\.1:1" can't be reached \(ECONNREFUSED\)/),
		});
	});

	test.each([
		[{}, "missing vaultToken or vaultTokenMountPath"],
		[{ vaultToken: "a", vaultTokenMountPath: "b" }, "vaultToken and vaultTokenMountPath: name one of them"],
		[{ vaultToken: "a b" }, 'field "vaultToken" holds characters that no token has'],
		[{ vaultToken: "a", vaultAddr: "vault:8200" }, '"vault:8200" is no URL: expected https://host:8200'],
		[{ vaultToken: "a", vaultValueType: "json" }, '"json": expected map or text'],
		[{ vaultToken: "a", skipVerify: "maybe" }, '"maybe" is not a boolean: expected true or false'],
		[{ vaultToken: "a", caPem: "x" }, 'field "caPem" is no certificate in PEM'],
		[{ vaultToken: "a", caCert: "/no/such/file" }, `"/no/such/file" can't be read (ENOENT)`],
	])("metadata %j: %s", async (properties, words) => {
		await expect(new Vault("/").init({ name: "vault", properties, source: "v.yaml:1" })).rejects.toThrow(
			`component "vault" (v.yaml:1): ${words.startsWith('"') ? "" : words}`,
		);
		await expect(new Vault("/").init({ name: "vault", properties })).rejects.toThrow(words);
	});
});
