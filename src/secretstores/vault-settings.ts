import { readdir, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { ComponentMetadata } from "../bindings/binding.js";
import type { ConfigurationError } from "../errors.js";
import { readBooleanField, readStoreMetadata, storeFieldError } from "./store-metadata.js";

const FIELDS = [
	"vaultAddr",
	"vaultToken",
	"vaultTokenMountPath",
	"enginePath",
	"vaultKVPrefix",
	"vaultKVUsePrefix",
	"vaultValueType",
	"caPem",
	"caPath",
	"caCert",
	"skipVerify",
	"tlsServerName",
];
/** What a header may hold. */
const TOKEN = /^[\x21-\x7e]+$/;

/** The metadata of `secretstores.hashicorp.vault`, checked. */
export interface VaultSettings {
	/** Without a slash at its end. */
	readonly address: string;
	/** A file is read for each request: who writes it may renew the token. */
	readonly token: { readonly value: string } | { readonly file: string };
	readonly engine: string;
	/** What stands before each secret's name; empty: nothing. */
	readonly prefix: string;
	/** A secret's whole data, as JSON text, under the secret's own name. */
	readonly isText: boolean;
	/** In PEM. Absent: the system's. */
	readonly ca: string | undefined;
	readonly tlsServerName: string | undefined;
	readonly skipVerify: boolean;
}

/** Reads the metadata; relative paths begin in the folder `cwd`. Rejects with ConfigurationError. */
export async function readVaultSettings(
	metadata: ComponentMetadata,
	cwd: string,
): Promise<{ readonly settings: VaultSettings; readonly warnings: readonly string[] }> {
	const { values, warnings } = readStoreMetadata(metadata, FIELDS);
	const refuse = (field: string, problem: string): ConfigurationError => storeFieldError(metadata, field, problem);
	const address = values.get("vaultAddr") || "https://127.0.0.1:8200";
	if (!/^https?:\/\/[^/]/.test(address) || !URL.canParse(address)) {
		throw refuse("vaultAddr", `field "vaultAddr": ${JSON.stringify(address)} is no URL: expected https://host:8200`);
	}
	const type = values.get("vaultValueType") || "map";
	if (type !== "map" && type !== "text") {
		throw refuse("vaultValueType", `field "vaultValueType": ${JSON.stringify(type)}: expected map or text`);
	}
	const usesPrefix = readBooleanField(metadata, values, "vaultKVUsePrefix", true);
	const skipVerify = readBooleanField(metadata, values, "skipVerify", false);
	const settings = {
		address: address.replace(/\/+$/, ""),
		token: tokenOf(values, cwd, refuse),
		engine: trimSlashes(values.get("enginePath") || "secret"),
		prefix: usesPrefix ? trimSlashes(values.get("vaultKVPrefix") || "dapr") : "",
		isText: type === "text",
		ca: await readCa(values, cwd, refuse),
		tlsServerName: values.get("tlsServerName") || undefined,
		skipVerify,
	};
	if (!skipVerify) return { settings, warnings };
	const risk = `component ${JSON.stringify(metadata.name)}: skipVerify: whoever answers at ${JSON.stringify(address)} is believed to be Vault`;
	return { settings, warnings: [...warnings, risk] };
}

/** The token in a file. Undefined when there is none that can be sent. Rejects as readFile does. */
export async function readTokenFile(file: string): Promise<string | undefined> {
	const text = (await readFile(file, "utf8")).trim();
	return TOKEN.test(text) ? text : undefined;
}

type Refuse = (field: string, problem: string) => ConfigurationError;

function tokenOf(values: ReadonlyMap<string, string>, cwd: string, refuse: Refuse): VaultSettings["token"] {
	const [value, file] = [values.get("vaultToken")?.trim(), values.get("vaultTokenMountPath")];
	if (value && file) throw refuse("vaultTokenMountPath", "vaultToken and vaultTokenMountPath: name one of them");
	if (value && !TOKEN.test(value)) throw refuse("vaultToken", 'field "vaultToken" holds characters that no token has');
	if (value) return { value };
	if (file) return { file: resolve(cwd, file) };
	throw refuse("vaultToken", "missing vaultToken or vaultTokenMountPath");
}

/** Dapr's order: a PEM text, the first file of a folder, a file. */
async function readCa(values: ReadonlyMap<string, string>, cwd: string, refuse: Refuse): Promise<string | undefined> {
	const pem = values.get("caPem");
	if (pem) {
		if (isPem(pem)) return pem;
		throw refuse("caPem", 'field "caPem" is no certificate in PEM');
	}
	const field = values.get("caPath") ? "caPath" : "caCert";
	const given = values.get(field);
	if (!given) return undefined;
	const where = `field "${field}": ${JSON.stringify(given)}`;
	const text = await readFirst(resolve(cwd, given), field === "caPath").catch((error: NodeJS.ErrnoException) => {
		throw refuse(field, `${where} can't be read (${error.code})`);
	});
	if (text !== undefined && isPem(text)) return text;
	throw refuse(field, `${where} holds no certificate in PEM`);
}

async function readFirst(path: string, isFolder: boolean): Promise<string | undefined> {
	if (!isFolder) return await readFile(path, "utf8");
	const [first] = (await readdir(path)).sort();
	return first === undefined ? undefined : await readFile(join(path, first), "utf8");
}

function isPem(text: string): boolean {
	return text.includes("-----BEGIN CERTIFICATE-----");
}

function trimSlashes(path: string): string {
	return path.replace(/^\/+|\/+$/g, "");
}
