import type { IncomingMessage } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { createCa } from "../../test/support/certificates.js";
import { tempFolder } from "../../test/support/temp-folder.js";
import { SecretError } from "../errors.js";
import { Kubernetes } from "./kubernetes.js";

const SECRET = {
	kind: "Secret",
	apiVersion: "v1",
	metadata: { name: "mqtt", namespace: "shop" },
	data: { password: Buffer.from("pä$$").toString("base64"), empty: "" },
	type: "Opaque",
};

function status(code: number, reason: string) {
	return { kind: "Status", apiVersion: "v1", status: "Failure", message: `canary ${reason}`, reason, code };
}

/** Answers as the API server does, over TLS; what was asked for is kept. */
async function startApiServer() {
	const ca = await createCa("Cluster CA");
	const asked: IncomingMessage[] = [];
	const answers: Readonly<Record<string, readonly [number, unknown]>> = {
		"/api/v1/namespaces/shop/secrets/mqtt": [200, SECRET],
		"/api/v1/namespaces/shop/secrets/other": [403, status(403, "Forbidden")],
		"/api/v1/namespaces/shop/secrets/stranger": [401, status(401, "Unauthorized")],
		"/api/v1/namespaces/shop/secrets/busy": [503, status(503, "ServiceUnavailable")],
	};
	const server = createServer(await ca.issue({ ipAddresses: ["127.0.0.1"] }), (request, response) => {
		asked.push(request);
		const [code, body] = answers[request.url!] ?? [404, status(404, "NotFound")];
		response.writeHead(code, { "content-type": "application/json" }).end(JSON.stringify(body));
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	onTestFinished(() => {
		server.closeAllConnections();
		server.close();
	});
	const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
	const kubeconfig = JSON.stringify({
		apiVersion: "v1",
		kind: "Config",
		"current-context": "test",
		clusters: [
			{ name: "test", cluster: { server: url, "certificate-authority-data": Buffer.from(ca.cert).toString("base64") } },
		],
		users: [{ name: "test", user: { token: "canary-token" } }],
		contexts: [{ name: "test", context: { cluster: "test", user: "test" } }],
	});
	return { url, asked, kubeconfig };
}

async function failureOf(secret: Promise<unknown>): Promise<SecretError> {
	const error = await secret.catch((reason: unknown) => reason);
	expect(error).toBeInstanceOf(SecretError);
	expect(`${String(error)} ${JSON.stringify(error)}`).not.toContain("canary");
	return error as SecretError;
}

describe("secretstores.kubernetes", () => {
	test("a Secret of the namespace, by a kubeconfig; NAMESPACE goes before defaultNamespace", async () => {
		const { asked, kubeconfig } = await startApiServer();
		await using folder = await tempFolder({ config: kubeconfig });
		const store = new Kubernetes({ env: { NAMESPACE: "shop" }, cwd: folder.path });
		const properties = { kubeconfigPath: "config", defaultNamespace: "elsewhere" };
		expect(await store.init({ name: "cluster", properties })).toEqual([]);
		expect({ ...(await store.getSecret("mqtt")) }).toEqual({ password: "pä$$", empty: "" });
		expect(asked).toHaveLength(1);
		expect(asked[0]).toMatchObject({
			method: "GET",
			url: "/api/v1/namespaces/shop/secrets/mqtt",
			headers: { authorization: "Bearer canary-token" },
		});
	});

	test("what is refused is told apart from what can't be had now, in our words", async () => {
		const { url, kubeconfig } = await startApiServer();
		await using folder = await tempFolder({ config: kubeconfig });
		const store = new Kubernetes({ env: {}, cwd: folder.path });
		await store.init({ name: "cluster", properties: { kubeconfigPath: "config", defaultNamespace: "shop" } });
		const failures = await Promise.all(
			["missing", "other", "stranger", "busy"].map((name) => failureOf(store.getSecret(name))),
		);
		expect(failures.map(({ message, isTransient }) => [message, isTransient])).toEqual([
			['secret store "cluster": secret "missing": there is none in namespace "shop"', false],
			[
				'secret store "cluster": secret "other": our account may not read it in namespace "shop": it needs a Role with get on secrets',
				false,
			],
			[`secret store "cluster": secret "stranger": ${url} does not know our account (401)`, false],
			[`secret store "cluster": secret "busy": ${url} answers 503`, true],
		]);
	});

	test("a server that is not there, and one whose certificate is not the cluster's", async () => {
		const { url, kubeconfig } = await startApiServer();
		const other = await createCa("Other CA");
		const config = JSON.parse(kubeconfig);
		config.clusters[0].cluster["certificate-authority-data"] = Buffer.from(other.cert).toString("base64");
		await using folder = await tempFolder({
			untrusted: JSON.stringify(config),
			absent: kubeconfig.replace(url, "https://127.0.0.1:1"),
		});
		for (const [kubeconfigPath, words] of [
			["untrusted", /can't be reached \((UNABLE_TO_VERIFY|SELF_SIGNED)/],
			["absent", /https:\/\/127\.0\.0\.1:1 can't be reached \(ECONNREFUSED\)/],
		] as const) {
			const store = new Kubernetes({ env: {}, cwd: folder.path });
			await store.init({ name: "cluster", properties: { kubeconfigPath, defaultNamespace: "shop" } });
			expect(await failureOf(store.getSecret("mqtt"))).toMatchObject({
				isTransient: true,
				message: expect.stringMatching(words),
			});
		}
	});

	test("without a namespace, or a usable kubeconfig: each names what to do", async () => {
		await using folder = await tempFolder({ broken: "a: [", empty: "apiVersion: v1\nkind: Config\n" });
		const init = (properties: Record<string, string>) =>
			new Kubernetes({ env: {}, cwd: folder.path }).init({ name: "cluster", properties, source: "k.yaml:1" });
		const namespace = { defaultNamespace: "shop" };
		await expect(init({})).rejects.toThrow(
			'component "cluster" (k.yaml:1): missing defaultNamespace, and the environment has no NAMESPACE',
		);
		await expect(init({ ...namespace, kubeconfigPath: "none" })).rejects.toThrow(/field "kubeconfigPath": .*ENOENT/);
		await expect(init({ ...namespace, kubeconfigPath: "broken" })).rejects.toThrow(
			/field "kubeconfigPath": the kubeconfig can't be used/,
		);
		await expect(init({ ...namespace, kubeconfigPath: "empty" })).rejects.toThrow(/the kubeconfig names no cluster/);
	});
});
