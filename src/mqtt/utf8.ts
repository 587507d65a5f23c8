import { isUtf8 } from "node:buffer";
import { MqttProtocolError } from "../errors.js";

/** The longest string or binary field that a two-byte length can announce, in bytes. */
export const MAX_FIELD_BYTES = 65_535;

/** What is wrong with a value, and the statement that says so. */
export interface Fault {
	/** As in MqttProtocolError. */
	readonly clause: string;
	/** A predicate in words: `holds U+0000`. */
	readonly reason: string;
}

const NUL: Fault = { clause: "MQTT-1.5.3-2", reason: "holds U+0000" };
const ILL_FORMED: Fault = { clause: "MQTT-1.5.3-1", reason: "is not well-formed: a surrogate stands alone" };
const TOO_LONG: Fault = { clause: "1.5.3", reason: `is longer than ${MAX_FIELD_BYTES} bytes in UTF-8` };

/** Whether a string takes more than 65,535 bytes in UTF-8. */
export function isTooLong(text: string): boolean {
	// A UTF-16 unit becomes one to three bytes: most strings need no counting.
	if (text.length > MAX_FIELD_BYTES) return true;
	return text.length * 3 > MAX_FIELD_BYTES && Buffer.byteLength(text) > MAX_FIELD_BYTES;
}

/** Why a string cannot be sent as an MQTT string; undefined when it can. */
export function stringFault(text: string): Fault | undefined {
	if (isTooLong(text)) return TOO_LONG;
	for (let i = 0; i < text.length; i++) {
		const unit = text.charCodeAt(i);
		if (unit === 0) return NUL; // [MQTT-1.5.3-2]
		if ((unit & 0xf800) !== 0xd800) continue;
		// [MQTT-1.5.3-1] A surrogate is half a character: only a pair can be encoded.
		const isPair = unit < 0xdc00 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00;
		if (!isPair) return ILL_FORMED;
		i++;
	}
	return undefined;
}

/**
 * Decodes UTF-8 strictly; keeps U+FEFF wherever it stands [MQTT-1.5.3-3]. Throws MqttProtocolError for ill-formed bytes
 * [MQTT-1.5.3-1] and U+0000 [MQTT-1.5.3-2]; `what` names the string in its message.
 */
export function decodeUtf8(bytes: Buffer, start: number, end: number, what: string): string {
	let union = 0;
	for (let i = start; i < end; i++) {
		const byte = bytes[i]!;
		if (byte === 0) throw new MqttProtocolError(NUL.clause, `${what} ${NUL.reason}`);
		union |= byte;
	}
	if (union < 0x80) return bytes.toString("latin1", start, end);
	if (!isUtf8(bytes.subarray(start, end))) {
		throw new MqttProtocolError(ILL_FORMED.clause, `${what} is not well-formed UTF-8`);
	}
	return bytes.toString("utf8", start, end);
}
