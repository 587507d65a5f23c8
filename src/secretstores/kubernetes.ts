import { resolve } from "node:path";
import type { ApiException, CoreV1Api, KubeConfig } from "@kubernetes/client-node";
import type { ComponentMetadata, Properties } from "../bindings/binding.js";
import { SecretError } from "../errors.js";
import type { SecretStore } from "./secret-store.js";
import { readStoreMetadata, storeFieldError } from "./store-metadata.js";

const FIELDS = ["defaultNamespace", "kubeconfigPath"];
const REQUEST_MS = 5_000;
const TOO_MANY_REQUESTS = 429;

interface Ready {
	readonly api: CoreV1Api;
	readonly namespace: string;
	/** Where it asks, for messages. */
	readonly server: string;
}

export interface KubernetesOptions {
	/** NAMESPACE, KUBERNETES_SERVICE_HOST and KUBECONFIG count. */
	readonly env: Readonly<Record<string, string | undefined>>;
	/** A relative `kubeconfigPath` begins here. */
	readonly cwd: string;
}

/**
 * Dapr's `secretstores.kubernetes`: Secrets of a cluster, by the pod's service account, or by a kubeconfig. The namespace is that of the
 * environment variable NAMESPACE, else `defaultNamespace`. dapr: secretstores/kubernetes/kubernetes.go in components-contrib
 */
export class Kubernetes implements SecretStore {
	readonly #options: KubernetesOptions;
	#name = "";
	#ready: Ready | undefined;

	constructor(options: KubernetesOptions) {
		this.#options = options;
	}

	async init(metadata: ComponentMetadata): Promise<readonly string[]> {
		const { values, warnings } = readStoreMetadata(metadata, FIELDS);
		const { env, cwd } = this.#options;
		const namespace = env.NAMESPACE || values.get("defaultNamespace");
		if (!namespace) {
			throw storeFieldError(
				metadata,
				"defaultNamespace",
				"missing defaultNamespace, and the environment has no NAMESPACE",
			);
		}
		const client = await import("@kubernetes/client-node").catch(() => {
			const remedy = "npm install @kubernetes/client-node";
			throw storeFieldError(
				metadata,
				"type",
				`secretstores.kubernetes needs a package that is installed apart: ${remedy}`,
			);
		});
		const config = new client.KubeConfig();
		const given = values.get("kubeconfigPath");
		try {
			if (given) config.loadFromFile(resolve(cwd, given));
			else if (env.KUBERNETES_SERVICE_HOST) config.loadFromCluster();
			else config.loadFromDefault();
		} catch (cause) {
			const problem = `the kubeconfig can't be used: ${firstLine(cause)}`;
			throw storeFieldError(metadata, "kubeconfigPath", given ? `field "kubeconfigPath": ${problem}` : problem);
		}
		const server = serverOf(config);
		if (server === undefined) throw storeFieldError(metadata, "kubeconfigPath", "the kubeconfig names no cluster");
		this.#name = metadata.name;
		this.#ready = { api: config.makeApiClient(client.CoreV1Api), namespace, server };
		return warnings;
	}

	async getSecret(name: string): Promise<Properties> {
		if (this.#ready === undefined) throw new Error("the store is not initialized");
		const { api, namespace, server } = this.#ready;
		const where = `in namespace ${JSON.stringify(namespace)}`;
		const patience = deadline(REQUEST_MS);
		try {
			const { data = {} } = await Promise.race([api.readNamespacedSecret({ name, namespace }), patience.over]);
			const properties: Record<string, string> = Object.create(null);
			for (const [key, value] of Object.entries(data)) properties[key] = Buffer.from(value, "base64").toString();
			return properties;
		} catch (cause) {
			const status = (cause as Partial<ApiException<unknown>>).code;
			if (status === 404) throw this.#error(name, `there is none ${where}`);
			if (status === 403)
				throw this.#error(name, `our account may not read it ${where}: it needs a Role with get on secrets`);
			if (status === 401) throw this.#error(name, `${server} does not know our account (401)`);
			const isTransient = typeof status !== "number" || status >= 500 || status === TOO_MANY_REQUESTS;
			const problem = typeof status === "number" ? `answers ${status}` : `can't be reached (${firstLine(cause)})`;
			throw this.#error(name, `${server} ${problem}`, isTransient);
		} finally {
			patience.end();
		}
	}

	/** The client's own error holds the answer: it stays out. */
	#error(key: string, problem: string, isTransient = false): SecretError {
		const message = `secret store ${JSON.stringify(this.#name)}: secret ${JSON.stringify(key)}: ${problem}`;
		return new SecretError(message, { store: this.#name, key, isTransient });
	}
}

function serverOf(config: KubeConfig): string | undefined {
	return config.getCurrentCluster()?.server;
}

/** `over` rejects after so long, unless it is ended before. */
function deadline(ms: number): { readonly over: Promise<never>; readonly end: () => void } {
	let timer: NodeJS.Timeout | undefined;
	const over = new Promise<never>((_resolve, reject) => {
		timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
	});
	return { over, end: () => clearTimeout(timer) };
}

function firstLine(cause: unknown): string {
	if (!(cause instanceof Error)) return String(cause);
	const { code } = cause as NodeJS.ErrnoException;
	return code ?? cause.message.split("\n")[0]!;
}
