import type { Agent } from "undici";
import type { ComponentMetadata, Properties } from "../bindings/binding.js";
import { SecretError } from "../errors.js";
import type { SecretStore } from "./secret-store.js";
import { readTokenFile, readVaultSettings, type VaultSettings } from "./vault-settings.js";

const REQUEST_MS = 5_000;
const MAX_ANSWER_BYTES = 4 * 1_024 * 1_024;

/** Undici, loaded only where a store needs it. */
type Undici = typeof import("undici");

interface Ready {
	readonly settings: VaultSettings;
	readonly agent: Agent;
	readonly request: Undici["request"];
}

interface Answer {
	readonly status: number;
	/** Undefined when it was no JSON. */
	readonly body: unknown;
}

/**
 * Dapr's `secretstores.hashicorp.vault`: secrets of a key-value engine, of version 1 or 2, whichever Vault says it is.
 * dapr: secretstores/hashicorp/vault/vault.go in components-contrib
 */
export class Vault implements SecretStore {
	readonly #cwd: string;
	#name = "";
	#ready: Ready | undefined;
	/** The engine's version, once Vault has said it. */
	#version: 1 | 2 | undefined;

	/** Relative paths begin in the folder `cwd`. */
	constructor(cwd: string) {
		this.#cwd = cwd;
	}

	async init(metadata: ComponentMetadata): Promise<readonly string[]> {
		const { settings, warnings } = await readVaultSettings(metadata, this.#cwd);
		const { Agent, request } = await import("undici");
		const { ca, tlsServerName: servername, skipVerify } = settings;
		const connect = {
			timeout: REQUEST_MS,
			rejectUnauthorized: !skipVerify,
			...(ca !== undefined && { ca }),
			...(servername !== undefined && { servername }),
		};
		const agent = new Agent({ connections: 4, headersTimeout: REQUEST_MS, bodyTimeout: REQUEST_MS, connect });
		this.#name = metadata.name;
		this.#ready = { settings, agent, request };
		return warnings;
	}

	async getSecret(name: string): Promise<Properties> {
		const { engine, prefix, isText } = this.#initialized.settings;
		this.#version ??= await this.#askVersion(name);
		const path = encodePath(prefix === "" ? name : `${prefix}/${name}`);
		const place = this.#version === 2 ? `${encodePath(engine)}/data/${path}` : `${encodePath(engine)}/${path}`;
		const { status, body } = await this.#get(place, name);
		if (status === 404) throw this.#error(name, `Vault has none at ${JSON.stringify(place)}`);
		if (status === 403) throw this.#error(name, `Vault refuses our token at ${JSON.stringify(place)} (403)`);
		if (status !== 200) throw this.#failed(name, status, body);
		const outer = member(body, "data");
		const data = this.#version === 2 ? member(outer, "data") : outer;
		if (typeof data !== "object" || data === null) throw this.#error(name, `no data at ${JSON.stringify(place)}`);
		return isText ? { [name]: JSON.stringify(data) } : texts(data);
	}

	async close(): Promise<void> {
		await this.#ready?.agent.close();
	}

	/** As Vault's own command line asks. Where the token may not know it is version 2, as in Dapr. */
	async #askVersion(name: string): Promise<1 | 2> {
		const { status, body } = await this.#get(
			`sys/internal/ui/mounts/${encodePath(this.#initialized.settings.engine)}`,
			name,
		);
		if (status >= 500) throw this.#failed(name, status, body);
		const mount = member(body, "data");
		if (status !== 200 || member(mount, "type") !== "kv") return 2;
		return member(member(mount, "options"), "version") === "2" ? 2 : 1;
	}

	async #get(path: string, name: string): Promise<Answer> {
		const { settings, agent, request } = this.#initialized;
		const headers = { "x-vault-token": await this.#token(name), "x-vault-request": "true" };
		try {
			const answer = await request(`${settings.address}/v1/${path}`, { dispatcher: agent, headers });
			return { status: answer.statusCode, body: await readJson(answer.body) };
		} catch (cause) {
			const reason = cause instanceof Error ? ((cause as NodeJS.ErrnoException).code ?? cause.message) : String(cause);
			const problem = `Vault at ${JSON.stringify(settings.address)} can't be reached (${reason})`;
			throw this.#error(name, problem, { cause, isTransient: true });
		}
	}

	async #token(name: string): Promise<string> {
		const { token } = this.#initialized.settings;
		if ("value" in token) return token.value;
		const where = `vaultTokenMountPath ${JSON.stringify(token.file)}`;
		const text = await readTokenFile(token.file).catch((cause: NodeJS.ErrnoException) => {
			throw this.#error(name, `${where} can't be read (${cause.code})`, { cause, isTransient: true });
		});
		if (text !== undefined) return text;
		throw this.#error(name, `${where} holds no token`, { isTransient: true });
	}

	get #initialized(): Ready {
		if (this.#ready === undefined) throw new Error("the store is not initialized");
		return this.#ready;
	}

	#failed(name: string, status: number, body: unknown): SecretError {
		return this.#error(name, `Vault answers ${status}${wordsOf(body)}`, {
			isTransient: status >= 500 || status === 429,
		});
	}

	#error(
		key: string,
		problem: string,
		options: { readonly cause?: unknown; readonly isTransient?: boolean } = {},
	): SecretError {
		const message = `secret store ${JSON.stringify(this.#name)}: secret ${JSON.stringify(key)}: ${problem}`;
		return new SecretError(message, { store: this.#name, key, ...options });
	}
}

function encodePath(path: string): string {
	return path.split("/").map(encodeURIComponent).join("/");
}

/** Values that are not text become their JSON; null is no value. */
function texts(data: object): Properties {
	const properties: Record<string, string> = Object.create(null);
	for (const [key, value] of Object.entries(data)) {
		if (value !== null) properties[key] = typeof value === "string" ? value : JSON.stringify(value);
	}
	return properties;
}

function member(value: unknown, name: string): unknown {
	return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>)[name] : undefined;
}

/** What Vault says of an error in its own words, which quote no secrets. */
function wordsOf(body: unknown): string {
	const errors = member(body, "errors");
	const words = Array.isArray(errors) ? errors.filter((one) => typeof one === "string").join("; ") : "";
	return words === "" ? "" : `: ${words.slice(0, 200)}`;
}

async function readJson(body: AsyncIterable<Buffer>): Promise<unknown> {
	const chunks: Buffer[] = [];
	let length = 0;
	for await (const chunk of body) {
		length += chunk.length;
		if (length > MAX_ANSWER_BYTES) throw new Error(`more than ${MAX_ANSWER_BYTES} bytes`);
		chunks.push(chunk);
	}
	try {
		return JSON.parse(Buffer.concat(chunks).toString());
	} catch {
		return undefined;
	}
}
