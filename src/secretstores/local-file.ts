import { isUtf8 } from "node:buffer";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { ComponentMetadata, Properties } from "../bindings/binding.js";
import { ConfigurationError, SecretError } from "../errors.js";
import { readJsonSecrets } from "./json-secrets.js";
import type { SecretStore } from "./secret-store.js";
import { readBooleanField, readStoreMetadata, storeFieldError } from "./store-metadata.js";

const MAX_FILE_BYTES = 1024 * 1024;

/** Dapr's `secretstores.local.file`: secrets are the members of a JSON file, read once. */
export class LocalFile implements SecretStore {
	readonly #cwd: string;
	files: readonly string[] = [];
	#name = "";
	#file = "";
	#secrets: ReadonlyMap<string, Properties> = new Map();

	/** A relative `secretsFile` is looked for in the folder `cwd`. */
	constructor(cwd: string) {
		this.#cwd = cwd;
	}

	/**
	 * Reads the file that `secretsFile` names. `multiValued` false: nested members are secrets of their own, their names joined by
	 * `nestedSeparator` (default `:`). True: each object at the top is one secret with several keys.
	 */
	async init(metadata: ComponentMetadata): Promise<readonly string[]> {
		const { values, warnings } = readStoreMetadata(metadata, ["secretsFile", "nestedSeparator", "multiValued"]);
		const file = values.get("secretsFile");
		if (!file) throw storeFieldError(metadata, "secretsFile", "missing secretsFile");
		const multiValued = readBooleanField(metadata, values, "multiValued", false);
		this.#name = metadata.name;
		this.#file = file;
		this.files = [resolve(this.#cwd, file)];
		try {
			const text = await readSecretsFile(this.files[0]!);
			this.#secrets = readJsonSecrets(text, { multiValued, separator: values.get("nestedSeparator") || ":" });
		} catch (error) {
			const problem = error instanceof Error ? error.message : String(error);
			throw storeFieldError(metadata, "secretsFile", `field "secretsFile": ${JSON.stringify(file)} ${problem}`);
		}
		return warnings;
	}

	/** All values under one name. Rejects with SecretError when the file has none. */
	async getSecret(name: string): Promise<Properties> {
		const secret = this.#secrets.get(name);
		if (secret !== undefined) return secret;
		const message = `secret store ${JSON.stringify(this.#name)}: no secret ${JSON.stringify(name)} in ${JSON.stringify(this.#file)}`;
		throw new SecretError(message, { store: this.#name, key: name });
	}
}

async function readSecretsFile(path: string): Promise<string> {
	const bytes = await readFile(path).catch((error: Error) => {
		throw new ConfigurationError(`cannot be read: ${error.message}`);
	});
	if (bytes.length > MAX_FILE_BYTES) throw new ConfigurationError(`is larger than ${MAX_FILE_BYTES} bytes`);
	if (!isUtf8(bytes)) throw new ConfigurationError("is not valid UTF-8");
	return new TextDecoder().decode(bytes);
}
