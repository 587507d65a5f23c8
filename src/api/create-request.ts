import { isUtf8 } from "node:buffer";
import { isNull, isString, JsonSyntaxError, readMembers, readString } from "./raw-json.js";
import type { BindingRequest } from "./sidecar.js";
import { MalformedRequestError } from "./status.js";

const MAX_METADATA_KEYS = 64;
const MAX_KEY_BYTES = 128;
const MAX_VALUE_BYTES = 64 * 1024;
const PROTOTYPE_KEYS: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);
const NO_DATA = Buffer.alloc(0);

/** An object that inherits nothing, not even `constructor`, and that V8 handles faster than what `Object.create(null)` makes. */
class BareObject {
	[key: string]: string;
	static {
		Object.setPrototypeOf(BareObject.prototype, null);
		Reflect.deleteProperty(BareObject.prototype, "constructor");
		Object.freeze(BareObject.prototype);
	}
}

const NO_METADATA: Readonly<Record<string, string>> = Object.freeze(new BareObject());

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
		const end = readMembers(body, 0, (name, from, to) => {
			switch (name.toLowerCase()) {
				case "data":
					data = body.subarray(from, to);
					break;
				case "metadata":
					metadata = readMetadata(body, from);
					break;
				case "operation":
					operation = readText(body, from, to, "operation") ?? "";
			}
		});
		if (!isUtf8(end === body.byteLength ? body : body.subarray(0, end))) throw new MalformedRequestError("not UTF-8");
	} catch (error) {
		if (error instanceof JsonSyntaxError) throw new MalformedRequestError(error.message, { cause: error });
		throw error;
	}
	return { operation, metadata, data };
}

function readMetadata(body: Buffer, from: number): Readonly<Record<string, string>> {
	if (isNull(body, from)) return NO_METADATA;
	const metadata = new BareObject();
	let count = 0;
	readMembers(body, from, (key, valueFrom, to) => {
		if (++count > MAX_METADATA_KEYS) throw new MalformedRequestError(`more than ${MAX_METADATA_KEYS} metadata keys`);
		checkMetadataKey(key);
		const value = readText(body, valueFrom, to, key);
		if (to - valueFrom > MAX_VALUE_BYTES && Buffer.byteLength(value ?? "") > MAX_VALUE_BYTES) {
			throw new MalformedRequestError(`metadata "${key}" is longer than ${MAX_VALUE_BYTES} bytes`);
		}
		if (value === undefined) delete metadata[key];
		else metadata[key] = value;
	});
	return metadata;
}

function readText(body: Buffer, from: number, to: number, name: string): string | undefined {
	if (isNull(body, from)) return undefined;
	if (!isString(body, from)) throw new MalformedRequestError(`"${name}" is not a string at byte ${from}`);
	return readString(body, from, to);
}

/** Throws MalformedRequestError when `key` is too long or would touch an object's prototype. */
export function checkMetadataKey(key: string): void {
	if (key.length * 3 > MAX_KEY_BYTES && Buffer.byteLength(key) > MAX_KEY_BYTES) {
		throw new MalformedRequestError(`a metadata key is longer than ${MAX_KEY_BYTES} bytes`);
	}
	if (PROTOTYPE_KEYS.has(key)) throw new MalformedRequestError(`metadata key "${key}" is not allowed`);
}
