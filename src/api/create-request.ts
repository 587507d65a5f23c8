import { isUtf8 } from "node:buffer";
import type { Properties } from "../bindings/binding.js";
import { isNull, isString, JsonSyntaxError, readMembers, readString } from "./raw-json.js";
import {
	BareObject,
	checkMetadataCount,
	checkMetadataKey,
	checkMetadataValue,
	NO_METADATA,
} from "./request-metadata.js";
import { MalformedRequestError } from "./status.js";

const NO_DATA = Buffer.alloc(0);

/** One call of a binding that came in as JSON. */
export interface CreateRequest {
	/** Empty when the caller named none. */
	readonly operation: string;
	/** JSON text; empty: no payload. */
	readonly data: Uint8Array;
	readonly metadata: Properties;
}

/**
 * Reads the body of `/v1.0/bindings/{name}`: one JSON object with `operation`, `metadata`, `data`. Member names in any
 * case; unknown members and what follows the object are ignored; of duplicates the last wins; null is the same as absent,
 * except as `data`. The request's `data` is the member's own JSON text, a view of `body`; empty without the member.
 * Throws MalformedRequestError.
 */
export function parseCreateRequest(body: Buffer): CreateRequest {
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

function readMetadata(body: Buffer, from: number): Properties {
	if (isNull(body, from)) return NO_METADATA;
	const metadata = new BareObject();
	let count = 0;
	readMembers(body, from, (key, valueFrom, to) => {
		checkMetadataCount(++count);
		checkMetadataKey(key);
		const value = readText(body, valueFrom, to, key);
		if (value === undefined) delete metadata[key];
		else metadata[key] = checkMetadataValue(key, value);
	});
	return metadata;
}

function readText(body: Buffer, from: number, to: number, name: string): string | undefined {
	if (isNull(body, from)) return undefined;
	if (!isString(body, from)) throw new MalformedRequestError(`"${name}" is not a string at byte ${from}`);
	return readString(body, from, to);
}
