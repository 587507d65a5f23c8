const RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo";

/** A field of a protobuf message: of those that are read here, numbers and bytes. */
type Field = readonly [number: number, value: number | Buffer];

/**
 * Reads the delay, in milliseconds, from a google.rpc.Status that holds a google.rpc.RetryInfo, as the trailer `grpc-status-details-bin`
 * brings it. Undefined when it holds none, or is no such message.
 */
export function parseRetryInfo(status: Buffer): number | undefined {
	for (const [number, detail] of fieldsOf(status)) {
		if (number !== 3 || typeof detail === "number") continue;
		const any = new Map(fieldsOf(detail));
		const [type, value] = [any.get(1), any.get(2)];
		if (!Buffer.isBuffer(type) || type.toString() !== RETRY_INFO || !Buffer.isBuffer(value)) continue;
		const delay = new Map(fieldsOf(value)).get(1);
		if (!Buffer.isBuffer(delay)) return undefined;
		const duration = new Map(fieldsOf(delay));
		const [seconds = 0, nanos = 0] = [duration.get(1), duration.get(2)];
		if (typeof seconds !== "number" || typeof nanos !== "number") return undefined;
		return Math.ceil(seconds * 1_000 + nanos / 1e6);
	}
	return undefined;
}

/** The fields of a message, as far as it is one. */
function* fieldsOf(message: Buffer): Iterable<Field> {
	let at = 0;
	const varint = () => {
		let value = 0;
		for (let scale = 1; at < message.length; scale *= 128) {
			const byte = message[at++] as number;
			value += (byte & 127) * scale;
			if (byte < 128) return value;
		}
		return Number.NaN;
	};
	while (at < message.length) {
		const tag = varint();
		const number = Math.floor(tag / 8);
		if (tag % 8 === 0) {
			const value = varint();
			// A negative one takes ten bytes, which no double holds.
			if (!Number.isSafeInteger(value)) return;
			yield [number, value];
		} else if (tag % 8 === 2) {
			const length = varint();
			if (!(at + length <= message.length)) return;
			yield [number, message.subarray(at, at + length)];
			at += length;
		} else return;
	}
}
