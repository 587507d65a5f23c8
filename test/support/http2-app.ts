import { once } from "node:events";
import {
	createSecureServer,
	createServer,
	type Http2Server,
	type IncomingHttpHeaders,
	type ServerHttp2Stream,
	type Settings,
} from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** A request as the app saw it. */
export interface Http2Request {
	readonly method: string;
	readonly path: string;
	readonly headers: IncomingHttpHeaders;
	readonly body: Buffer;
	/** The number of the connection it came on, from 1. */
	readonly connection: number;
	/** The number of the request on its connection, from 1. */
	readonly onConnection: number;
}

/** What the app does with a request. A number is a status without a body. */
export type Http2Answer =
	| number
	| {
			readonly status?: number;
			readonly headers?: Readonly<Record<string, string>>;
			readonly body?: string | Buffer;
			readonly trailers?: Readonly<Record<string, string>>;
			/** Waits before it answers. */
			readonly delayMs?: number;
			/** Sends 103 first. */
			readonly earlyHints?: true;
			/** Sends GOAWAY first: no further requests on this connection. */
			readonly goaway?: true;
			/** After headers and body, in place of the stream's end: a reset of the stream with this code, or an end of the connection. */
			readonly end?: Http2End;
	  }
	| Http2End;

/** Nothing for ever; the stream reset with a code (once it has begun, always 2, INTERNAL_ERROR); the connection ended in order or reset, or refused with an error; the app gone. */
export type Http2End = "hang" | { readonly rst: number } | "close" | "reset" | "goaway with error" | "crash";

export type Http2Script = (request: Http2Request) => Http2Answer | Promise<Http2Answer>;

export interface Http2AppOptions {
	/** Default: any free port. */
	readonly port?: number;
	/** PEM: the app speaks TLS then. */
	readonly tls?: { readonly cert: string; readonly key: string };
	readonly settings?: Settings;
}

/** An app that speaks HTTP/2, on 127.0.0.1, and does what its script says; without one it answers 200 to everything. */
export class Http2App implements AsyncDisposable {
	/** The requests that came, oldest first. */
	readonly requests: Http2Request[] = [];
	/** What the next requests get. */
	script: Http2Script;
	/** How many requests are at the app now, and were at most. */
	concurrency = 0;
	maxConcurrency = 0;
	readonly port: number;
	readonly #server: Http2Server;
	readonly #sockets = new Set<Socket>();
	#connections = 0;

	private constructor(server: Http2Server, script: Http2Script) {
		this.#server = server;
		this.script = script;
		this.port = (server.address() as AddressInfo).port;
	}

	/** Starts an app; resolves when it listens. */
	static async start(script: Http2Script = () => 200, options: Http2AppOptions = {}): Promise<Http2App> {
		const { tls, settings = {} } = options;
		const server = tls === undefined ? createServer({ settings }) : createSecureServer({ ...tls, settings });
		server.listen(options.port ?? 0, "127.0.0.1");
		await once(server, "listening");
		const app = new Http2App(server as Http2Server, script);
		app.#listen();
		return app;
	}

	#listen(): void {
		this.#server.on("connection", (socket: Socket) => {
			this.#sockets.add(socket);
			socket.on("error", () => {});
			socket.on("close", () => this.#sockets.delete(socket));
		});
		this.#server.on("sessionError", () => {});
		this.#server.on("session", (session) => {
			const connection = ++this.#connections;
			let requests = 0;
			session.on("error", () => {});
			session.on("stream", (stream, headers) => void this.#serve(stream, headers, connection, ++requests));
		});
	}

	/** The events that were posted. */
	get posts(): readonly Http2Request[] {
		return this.requests.filter(({ method }) => method === "POST");
	}

	/** How many connections spoke HTTP/2. */
	get connections(): number {
		return this.#connections;
	}

	/** How many connections are open. */
	get openConnections(): number {
		return this.#sockets.size;
	}

	/** Stops listening and ends every connection at once, as the end of a process does. */
	crash(): void {
		this.#server.close();
		for (const socket of this.#sockets) socket.resetAndDestroy();
	}

	async [Symbol.asyncDispose](): Promise<void> {
		if (!this.#server.listening && this.#sockets.size === 0) return;
		const closed = new Promise((resolve) => this.#server.close(resolve));
		for (const socket of this.#sockets) socket.destroy();
		await closed;
	}

	async #serve(
		stream: ServerHttp2Stream,
		headers: IncomingHttpHeaders,
		connection: number,
		onConnection: number,
	): Promise<void> {
		this.concurrency++;
		this.maxConcurrency = Math.max(this.maxConcurrency, this.concurrency);
		stream.on("close", () => this.concurrency--);
		stream.on("error", () => {});
		const chunks: Buffer[] = [];
		stream.on("data", (chunk: Buffer) => chunks.push(chunk));
		await once(stream, "end");
		const { ":method": method = "", ":path": path = "" } = headers;
		const request = { method, path, headers, body: Buffer.concat(chunks), connection, onConnection };
		this.requests.push(request);
		await this.#answer(await this.script(request), stream);
	}

	async #answer(answer: Http2Answer, stream: ServerHttp2Stream): Promise<void> {
		if (typeof answer === "number") stream.respond({ ":status": answer }, { endStream: true });
		else if (typeof answer === "string" || "rst" in answer) this.#end(answer, stream);
		else {
			const { status = 200, headers, body = "", trailers, delayMs, earlyHints, goaway, end } = answer;
			if (goaway) stream.session?.goaway(0);
			if (delayMs !== undefined) await sleep(delayMs);
			if (stream.destroyed) return;
			if (earlyHints) stream.additionalHeaders({ ":status": 103, link: "</style.css>; rel=preload" });
			stream.respond({ ":status": status, ...headers }, { waitForTrailers: trailers !== undefined });
			stream.on("wantTrailers", () => stream.sendTrailers({ ...trailers }));
			if (end === undefined) {
				stream.end(body);
				return;
			}
			if (body.length > 0) stream.write(body);
			// So that the peer, which lives in this process, sees what came so far as something of its own.
			await sleep(10);
			this.#end(end, stream);
		}
	}

	#end(how: Http2End, stream: ServerHttp2Stream): void {
		// Node would end a stream that has begun in order before it resets it, unless it is destroyed.
		if (typeof how === "object" && stream.headersSent) stream.destroy(new Error(`reset, as the script says`));
		else if (typeof how === "object") stream.close(how.rst);
		else if (how === "goaway with error") stream.session?.goaway(2);
		else if (how === "crash") this.crash();
		else if (how === "close") for (const socket of this.#sockets) socket.end();
		else if (how === "reset") for (const socket of this.#sockets) socket.resetAndDestroy();
	}
}
