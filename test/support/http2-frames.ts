/** Types of HTTP/2 frames, RFC 9113 section 6. */
export const FRAME = { data: 0, headers: 1, rstStream: 3, settings: 4, goaway: 7 } as const;

/** What a client says first. */
export const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** One HTTP/2 frame as bytes, for what no HTTP/2 server would send. */
export function http2Frame(
	type: number,
	flags: number,
	streamId: number,
	payload: Uint8Array = new Uint8Array(),
): Buffer {
	const head = Buffer.alloc(9);
	head.writeUIntBE(payload.length, 0, 3);
	head[3] = type;
	head[4] = flags;
	head.writeUInt32BE(streamId, 5);
	return Buffer.concat([head, payload]);
}

/** Header fields in HPACK without compression: `[":status", "200"]`. */
export function headerBlock(fields: readonly (readonly [string, string])[]): Buffer {
	return Buffer.concat(fields.map(([name, value]) => Buffer.concat([Buffer.of(0), literal(name), literal(value)])));
}

/** The headers with which a call of a gRPC method begins. */
export function callHeaders(path: string): Buffer {
	return headerBlock([
		[":method", "POST"],
		[":scheme", "http"],
		[":path", path],
		[":authority", "localhost"],
		["content-type", "application/grpc"],
		["te", "trailers"],
	]);
}

function literal(text: string): Buffer {
	const bytes = Buffer.from(text, "latin1");
	if (bytes.length > 126) throw new Error("too long for a length of one byte");
	return Buffer.concat([Buffer.of(bytes.length), bytes]);
}
