import type { Properties } from "../bindings/binding.js";
import { MalformedRequestError } from "./status.js";

const MAX_METADATA_KEYS = 64;
const MAX_KEY_BYTES = 128;
const MAX_VALUE_BYTES = 64 * 1024;
const PROTOTYPE_KEYS: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

/** An object that inherits nothing, not even `constructor`, and that V8 handles faster than what `Object.create(null)` makes. */
export class BareObject {
	[key: string]: string;
	static {
		Object.setPrototypeOf(BareObject.prototype, null);
		Reflect.deleteProperty(BareObject.prototype, "constructor");
		Object.freeze(BareObject.prototype);
	}
}

/** The metadata of a request that has none. */
export const NO_METADATA: Properties = Object.freeze(new BareObject());

/** Throws MalformedRequestError when a request has more than 64 metadata keys. */
export function checkMetadataCount(count: number): void {
	if (count > MAX_METADATA_KEYS) throw new MalformedRequestError(`more than ${MAX_METADATA_KEYS} metadata keys`);
}

/** Throws MalformedRequestError when `key` is longer than 128 bytes or would touch an object's prototype. */
export function checkMetadataKey(key: string): void {
	if (key.length * 3 > MAX_KEY_BYTES && Buffer.byteLength(key) > MAX_KEY_BYTES) {
		throw new MalformedRequestError(`a metadata key is longer than ${MAX_KEY_BYTES} bytes`);
	}
	if (PROTOTYPE_KEYS.has(key)) throw new MalformedRequestError(`metadata key "${key}" is not allowed`);
}

/** Returns `value`. Throws MalformedRequestError when it is longer than 64 KiB. */
export function checkMetadataValue(key: string, value: string): string {
	if (value.length * 3 > MAX_VALUE_BYTES && Buffer.byteLength(value) > MAX_VALUE_BYTES) {
		throw new MalformedRequestError(`metadata "${key}" is longer than ${MAX_VALUE_BYTES} bytes`);
	}
	return value;
}
