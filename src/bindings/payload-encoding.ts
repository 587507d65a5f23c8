import { isUtf8 } from "node:buffer";

/** Without a repeated group: that would overflow the stack of the regular expression engine on megabytes. */
const NOT_BASE64 = /[^A-Za-z0-9+/]/;

/**
 * The payload that `data`, a JSON text, stands for: the text itself, the bare string's UTF-8, or the bytes that the string holds in base64.
 * No data at all is an empty payload. A string result says, in words, why it can't be.
 */
export function encodePayload(data: Uint8Array, encoding: "json" | "utf8" | "base64"): Uint8Array | string {
	if (encoding === "json" || data.length === 0) return data;
	if (!isUtf8(data)) return "data is not UTF-8";
	let value: unknown;
	try {
		value = JSON.parse(Buffer.from(data.buffer, data.byteOffset, data.length).toString("utf8"));
	} catch {
		return "data is not JSON";
	}
	if (typeof value !== "string") return "data must be a JSON string";
	if (encoding === "utf8") {
		return value.isWellFormed()
			? Buffer.from(value, "utf8")
			: "data holds half of a surrogate pair, which UTF-8 can't express";
	}
	return isBase64(value) ? Buffer.from(value, "base64") : "data is not base64";
}

/** In the alphabet of RFC 4648, section 4, with its padding or with none. */
function isBase64(text: string): boolean {
	let end = text.length;
	if (end % 4 === 0) {
		if (text.endsWith("==")) end -= 2;
		else if (text.endsWith("=")) end -= 1;
	}
	return end % 4 !== 1 && !NOT_BASE64.test(text.slice(0, end));
}
