import { isUtf8 } from "node:buffer";
import { JsonSyntaxError, readMembers } from "./raw-json.js";
import type { BindingRequest } from "./sidecar.js";
import { MalformedRequestError } from "./status.js";

const MAX_METADATA_KEYS = 64;
const MAX_KEY_BYTES = 128;
const MAX_VALUE_BYTES = 64 * 1024;
const PROTOTYPE_KEYS: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);
const NO_DATA = Buffer.alloc(0);
const NO_METADATA: Readonly<Record<string, string>> = Object.freeze(Object.create(null));

/**
 * Reads the body of `/v1.0/bindings/{name}`: one JSON object with `operation`, `metadata`, `data`. Member names in any
 * case; unknown members and what follows the object are ignored; of duplicates the last wins; null is the same as absent,
 * except as `data`. The request's `data` is the member's own JSON text, a view of `body`; empty without the member.
 * Throws MalformedRequestError.
 */
export function parseCreateRequest(body: Buffer): BindingRequest {
	let operation = "";
	let metadata = NO_METADATA;
	let data: Buffer = NO_DATA;
	try {
		const end = readMembers(body, (name, from, to) => {
			switch (name.length) {
				case 4:
					if (name.toLowerCase() === "data") data = body.subarray(from, to);
					break;
				case 8:
					if (name.toLowerCase() === "metadata") metadata = parseMetadata(body.toString("utf8", from, to));
					break;
				case 9:
					if (name.toLowerCase() === "operation") operation = parseOperation(body.toString("utf8", from, to));
			}
		});
		if (!isUtf8(body.subarray(0, end))) throw new MalformedRequestError("not UTF-8");
	} catch (error) {
		if (error instanceof JsonSyntaxError) throw new MalformedRequestError(error.message, { cause: error });
		throw error;
	}
	return { operation, metadata, data };
}

function parseOperation(text: string): string {
	const value: unknown = JSON.parse(text);
	if (value === null) return "";
	if (typeof value !== "string") throw new MalformedRequestError('"operation" is not a string');
	return value;
}

function parseMetadata(text: string): Readonly<Record<string, string>> {
	const members: unknown = JSON.parse(text);
	if (members === null) return NO_METADATA;
	if (typeof members !== "object" || Array.isArray(members))
		throw new MalformedRequestError('"metadata" is not an object');
	const metadata: Record<string, string> = Object.create(null);
	const entries = Object.entries(members);
	if (entries.length > MAX_METADATA_KEYS) {
		throw new MalformedRequestError(`"metadata" has ${entries.length} keys, at most ${MAX_METADATA_KEYS} are taken`);
	}
	for (const [key, value] of entries) {
		checkMetadataKey(key);
		if (value === null) continue;
		if (typeof value !== "string") throw new MalformedRequestError(`metadata ${JSON.stringify(key)} is not a string`);
		checkMetadataValue(key, value);
		metadata[key] = value;
	}
	return metadata;
}

/** Throws MalformedRequestError when `key` is too long or would touch an object's prototype. */
export function checkMetadataKey(key: string): void {
	if (Buffer.byteLength(key) > MAX_KEY_BYTES) {
		throw new MalformedRequestError(`a metadata key is longer than ${MAX_KEY_BYTES} bytes`);
	}
	if (PROTOTYPE_KEYS.has(key)) throw new MalformedRequestError(`metadata key "${key}" is not allowed`);
}

function checkMetadataValue(key: string, value: string): void {
	if (value.length * 3 > MAX_VALUE_BYTES && Buffer.byteLength(value) > MAX_VALUE_BYTES) {
		throw new MalformedRequestError(`metadata ${JSON.stringify(key)} is longer than ${MAX_VALUE_BYTES} bytes`);
	}
}
