import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";

/** A request as the app saw it. */
export interface AppRequest {
	readonly method: string;
	readonly path: string;
	/** As Node gives them: lower-case names, values one byte per character. */
	readonly headers: IncomingMessage["headers"];
	readonly body: Buffer;
	/** The number of the connection it came on, from 1. */
	readonly connection: number;
	/** The number of the request on its connection, from 1. */
	readonly onConnection: number;
}

/** What the app does with a request. A number is a status without a body. */
export type AppAnswer =
	| number
	| {
			readonly status?: number;
			readonly headers?: Readonly<Record<string, string>>;
			readonly body?: string | Buffer;
			/** Waits before it answers. */
			readonly delayMs?: number;
			/** Sends 103 first. */
			readonly earlyHints?: true;
			/** Answers in this many pieces, a moment apart. */
			readonly pieces?: number;
	  }
	/** Nothing, for ever. */
	| "hang"
	/** Ends the connection in order, or resets it, without a byte. */
	| "close"
	| "reset"
	/** Stops listening and resets all connections at once. */
	| "crash"
	/** These bytes; once the peer, if it lives in this process, has read them: nothing, an orderly end, a reset, or a crash. */
	| { readonly raw: string; readonly end: "hang" | "close" | "reset" | "crash" };

export type AppScript = (request: AppRequest) => AppAnswer | Promise<AppAnswer>;

export interface HttpAppOptions {
	/** Default: any free port. */
	readonly port?: number;
	/** PEM: the app speaks https then. */
	readonly tls?: { readonly cert: string; readonly key: string };
	/** How long an idle connection is kept. Default: for ever. */
	readonly keepAliveTimeoutMs?: number;
}

/** An app that speaks HTTP, on 127.0.0.1, and does what its script says; without one it answers 200 to everything. */
export class HttpApp implements AsyncDisposable {
	/** The requests that came, oldest first. */
	readonly requests: AppRequest[] = [];
	/** What the next requests get. */
	script: AppScript;
	/** How many requests are at the app now, and were at most. */
	concurrency = 0;
	maxConcurrency = 0;
	readonly port: number;
	readonly #server: Server;
	readonly #sockets = new Map<Socket, { readonly number: number; requests: number }>();
	#connections = 0;

	private constructor(server: Server, script: AppScript) {
		this.#server = server;
		this.script = script;
		this.port = (server.address() as AddressInfo).port;
		server.on("request", (request, response) => void this.#serve(request, response));
	}

	/** Starts an app; resolves when it listens. */
	static async start(script: AppScript = () => 200, options: HttpAppOptions = {}): Promise<HttpApp> {
		const server = options.tls === undefined ? createServer() : createSecureServer(options.tls);
		server.keepAliveTimeout = options.keepAliveTimeoutMs ?? 0;
		// Listeners for connections must be there before the first one.
		const early: Socket[] = [];
		const collect = (socket: Socket) => early.push(socket);
		const event = options.tls === undefined ? "connection" : "secureConnection";
		server.on(event, collect);
		server.listen(options.port ?? 0, "127.0.0.1");
		await once(server, "listening");
		const app = new HttpApp(server, script);
		server.off(event, collect);
		for (const socket of early) app.#register(socket);
		server.on(event, (socket: Socket) => app.#register(socket));
		return app;
	}

	/** The events that were posted. */
	get posts(): readonly AppRequest[] {
		return this.requests.filter(({ method }) => method === "POST");
	}

	/** How many connections there were. */
	get connections(): number {
		return this.#connections;
	}

	/** Stops listening and ends every connection at once, as the end of a process does. */
	crash(): void {
		this.#server.close();
		for (const socket of this.#sockets.keys()) socket.resetAndDestroy();
	}

	/** Ends the connections on which nothing is under way. */
	closeIdleConnections(): void {
		this.#server.closeIdleConnections();
	}

	async [Symbol.asyncDispose](): Promise<void> {
		if (!this.#server.listening && this.#sockets.size === 0) return;
		const closed = new Promise((resolve) => this.#server.close(resolve));
		this.#server.closeAllConnections();
		for (const socket of this.#sockets.keys()) socket.destroy();
		await closed;
	}

	#register(socket: Socket): void {
		this.#connections++;
		this.#sockets.set(socket, { number: this.#connections, requests: 0 });
		socket.on("error", () => {});
		socket.on("close", () => this.#sockets.delete(socket));
	}

	async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
		this.concurrency++;
		this.maxConcurrency = Math.max(this.maxConcurrency, this.concurrency);
		response.on("close", () => this.concurrency--);
		const socket = request.socket;
		const place = this.#sockets.get(socket) ?? { number: 0, requests: 0 };
		place.requests++;
		const onConnection = place.requests;
		const chunks: Buffer[] = [];
		for await (const chunk of request) chunks.push(chunk as Buffer);
		const { method = "", url: path = "", headers } = request;
		const record = { method, path, headers, body: Buffer.concat(chunks), connection: place.number, onConnection };
		this.requests.push(record);
		await this.#answer(await this.script(record), socket, response);
	}

	async #answer(answer: AppAnswer, socket: Socket, response: ServerResponse): Promise<void> {
		if (typeof answer === "number") {
			response.writeHead(answer).end();
		} else if (typeof answer === "string") {
			this.#end(answer, socket);
		} else if ("raw" in answer) {
			await new Promise((resolve) => socket.write(answer.raw, "latin1", resolve));
			// A reset that overtakes the reading of these bytes looks like an orderly end to Node.
			for (let turn = 0; turn < 10; turn++) await nextTurn();
			this.#end(answer.end, socket);
		} else {
			if (answer.delayMs !== undefined) await sleep(answer.delayMs);
			if (answer.earlyHints) response.writeEarlyHints({ link: "</style.css>; rel=preload" });
			response.writeHead(answer.status ?? 200, answer.headers);
			await this.#sendBody(response, Buffer.from(answer.body ?? ""), answer.pieces ?? 1);
		}
	}

	async #sendBody(response: ServerResponse, body: Buffer, pieces: number): Promise<void> {
		const size = Math.max(1, Math.ceil(body.length / pieces));
		for (let from = 0; from < body.length; from += size) {
			response.write(body.subarray(from, from + size));
			if (pieces > 1) await sleep(5);
		}
		response.end();
	}

	#end(how: "hang" | "close" | "reset" | "crash", socket: Socket): void {
		if (how === "close") socket.end();
		else if (how === "reset") socket.resetAndDestroy();
		else if (how === "crash") this.crash();
	}
}
