import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect, type IncomingHttpHeaders } from "node:http2";

/** A gRPC client that does what good ones don't: half messages, calls without end, connections that break. */
export class RawGrpc implements Disposable {
	readonly session: ClientHttp2Session;

	private constructor(session: ClientHttp2Session) {
		this.session = session;
	}

	static async connect(port: number): Promise<RawGrpc> {
		const session = connect(`http://127.0.0.1:${port}`);
		session.on("error", () => {});
		await once(session, "connect");
		return new RawGrpc(session);
	}

	/** Begins a call of InvokeBinding; nothing is sent but its headers. */
	call(headers: Readonly<Record<string, string | readonly string[]>> = {}): ClientHttp2Stream {
		const stream = this.session.request(
			{
				":method": "POST",
				":path": "/dapr.proto.runtime.v1.Dapr/InvokeBinding",
				"content-type": "application/grpc",
				te: "trailers",
				...headers,
			} as Record<string, string>,
			{ endStream: false },
		);
		stream.on("error", () => {});
		return stream.resume();
	}

	[Symbol.dispose](): void {
		this.session.destroy();
	}
}

/** What a call begins a message of so many bytes with. */
export function messageHead(length: number, isCompressed = false): Buffer {
	const head = Buffer.alloc(5);
	head[0] = isCompressed ? 1 : 0;
	head.writeUInt32BE(length, 1);
	return head;
}

/** Status and message of a call that is answered without any message of the server. */
export async function statusOf(stream: ClientHttp2Stream): Promise<{ readonly status: number; readonly text: string }> {
	const [headers] = (await once(stream, "response")) as [IncomingHttpHeaders];
	return { status: Number(headers["grpc-status"]), text: decodeURI(String(headers["grpc-message"])) };
}
