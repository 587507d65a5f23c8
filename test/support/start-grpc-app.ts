import { once } from "node:events";
import { type AddressInfo, createServer, type Server as NetServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import {
	Metadata,
	Server,
	ServerCredentials,
	type ServerUnaryCall,
	type StatusObject,
	type sendUnaryData,
	status,
} from "@grpc/grpc-js";
import {
	AppCallbackHealthCheckService,
	AppCallbackService,
	type BindingEventRequest,
	BindingEventResponse,
	type BindingEventResponse_BindingEventConcurrency as Concurrency,
	type HealthCheckResponse,
	type ListInputBindingsResponse,
} from "../../src/gen/dapr/proto/runtime/v1/appcallback.js";

/** An event as the app saw it. */
export interface GrpcEvent {
	readonly name: string;
	readonly data: Buffer;
	readonly metadata: Readonly<Record<string, string>>;
	/** The call's own metadata. */
	readonly headers: Readonly<Record<string, string | Buffer>>;
	/** The number of the connection it came on, from 1. */
	readonly connection: number;
}

/** What the app does with a call. A name is a status's code. */
export type GrpcAnswer =
	| keyof typeof status
	| {
			readonly code?: keyof typeof status;
			readonly details?: string;
			readonly trailers?: Readonly<Record<string, string | Buffer>>;
			readonly to?: readonly string[];
			readonly data?: Buffer;
			readonly concurrency?: Concurrency;
			/** Waits before it answers. */
			readonly delayMs?: number;
			/** Sends headers first, on their own. */
			readonly early?: true;
	  }
	/** Nothing for ever; every connection ended in order or reset; the app gone. */
	| "hang"
	| "close"
	| "reset"
	| "crash";

export type GrpcScript = (event: GrpcEvent) => GrpcAnswer | Promise<GrpcAnswer>;

export interface GrpcAppOptions {
	/** Default: any free port. */
	readonly port?: number;
	/** Default 127.0.0.1. */
	readonly host?: string;
	/** PEM: the app speaks TLS then. */
	readonly tls?: { readonly cert: string; readonly key: string };
	/** What ListInputBindings names. Default `orders`. */
	readonly bindings?: readonly string[];
	/** False: it serves no HealthCheck. */
	readonly hasHealthCheck?: boolean;
	/** Calls at once on one connection. */
	readonly maxStreams?: number;
}

/** An app on grpc-js that does what its script says; without one it answers OK to every event. */
export async function startGrpcApp(script: GrpcScript = () => "OK", options: GrpcAppOptions = {}): Promise<GrpcApp> {
	const listener = createServer({ pauseOnConnect: true });
	listener.listen(options.port ?? 0, options.host ?? "127.0.0.1");
	await once(listener, "listening");
	return new GrpcApp(listener, script, options);
}

/** An app under test. */
export class GrpcApp implements AsyncDisposable {
	/** The events that came, oldest first. */
	readonly events: GrpcEvent[] = [];
	/** The metadata of each ListInputBindings, and of each HealthCheck. */
	readonly lists: Readonly<Record<string, string | Buffer>>[] = [];
	readonly healthChecks: Readonly<Record<string, string | Buffer>>[] = [];
	/** What the next events get. */
	script: GrpcScript;
	/** What ListInputBindings names from now on, or how it ends instead. */
	bindings: readonly string[] | GrpcAnswer;
	/** How HealthCheck ends from now on. */
	health: GrpcAnswer = "OK";
	/** How many events are at the app now, and were at most. */
	concurrency = 0;
	maxConcurrency = 0;
	/** How many connections there were. */
	connections = 0;
	readonly port: number;
	readonly #listener: NetServer;
	readonly #server: Server;
	readonly #sockets = new Map<number, Socket>();
	readonly #numbers = new Map<string, number>();

	constructor(listener: NetServer, script: GrpcScript, options: GrpcAppOptions) {
		this.#listener = listener;
		this.port = (listener.address() as AddressInfo).port;
		this.script = script;
		this.bindings = options.bindings ?? ["orders"];
		this.#server = new Server({
			"grpc.max_receive_message_length": -1,
			...(options.maxStreams !== undefined && { "grpc.max_concurrent_streams": options.maxStreams }),
		});
		this.#addServices(options.hasHealthCheck ?? true);
		const { tls } = options;
		const credentials =
			tls === undefined
				? ServerCredentials.createInsecure()
				: ServerCredentials.createSsl(null, [{ cert_chain: Buffer.from(tls.cert), private_key: Buffer.from(tls.key) }]);
		const injector = this.#server.createConnectionInjector(credentials);
		listener.on("connection", (socket) => {
			const number = ++this.connections;
			this.#sockets.set(number, socket);
			this.#numbers.set(`${socket.remoteAddress}:${socket.remotePort}`, number);
			socket.on("error", () => {});
			socket.on("close", () => this.#sockets.delete(number));
			injector.injectConnection(socket);
			socket.resume();
		});
	}

	/** How many connections are open. */
	get openConnections(): number {
		return this.#sockets.size;
	}

	/** Stops listening and ends every connection at once, as the end of a process does. */
	crash(): void {
		this.#listener.close();
		for (const socket of this.#sockets.values()) socket.resetAndDestroy();
	}

	async [Symbol.asyncDispose](): Promise<void> {
		const closed = new Promise((resolve) => this.#listener.close(resolve));
		this.#server.forceShutdown();
		for (const socket of this.#sockets.values()) socket.destroy();
		await closed;
	}

	#addServices(hasHealthCheck: boolean): void {
		this.#server.addService(AppCallbackService, {
			listInputBindings: (call: ServerUnaryCall<unknown, unknown>, done: sendUnaryData<ListInputBindingsResponse>) => {
				this.lists.push(call.metadata.getMap());
				if (Array.isArray(this.bindings)) done(null, { bindings: [...this.bindings] });
				else void this.#answer(this.bindings as GrpcAnswer, call, done, { bindings: [] });
			},
			onBindingEvent: (
				call: ServerUnaryCall<BindingEventRequest, BindingEventResponse>,
				done: sendUnaryData<BindingEventResponse>,
			) => void this.#onBindingEvent(call, done),
		});
		if (!hasHealthCheck) return;
		this.#server.addService(AppCallbackHealthCheckService, {
			healthCheck: (call: ServerUnaryCall<unknown, unknown>, done: sendUnaryData<HealthCheckResponse>) => {
				this.healthChecks.push(call.metadata.getMap());
				void this.#answer(this.health, call, done, {});
			},
		});
	}

	async #onBindingEvent(
		call: ServerUnaryCall<BindingEventRequest, BindingEventResponse>,
		done: sendUnaryData<BindingEventResponse>,
	): Promise<void> {
		this.concurrency++;
		this.maxConcurrency = Math.max(this.maxConcurrency, this.concurrency);
		let isOver = false;
		const over = () => {
			if (!isOver) this.concurrency--;
			isOver = true;
		};
		call.on("cancelled", over);
		const { name, data, metadata } = call.request;
		const connection = this.#numbers.get(call.getPeer()) ?? 0;
		const event = { name, data, metadata, headers: call.metadata.getMap(), connection };
		this.events.push(event);
		const answer = await this.script(event);
		const { to = [], data: answerData = Buffer.alloc(0), concurrency = 0 } = typeof answer === "object" ? answer : {};
		const response = { storeName: "", to: [...to], data: answerData, concurrency };
		await this.#answer(answer, call, done, BindingEventResponse.decode(BindingEventResponse.encode(response).finish()));
		if (answer !== "hang") over();
	}

	async #answer<Response>(
		answer: GrpcAnswer,
		call: ServerUnaryCall<never, never> | ServerUnaryCall<unknown, unknown>,
		done: sendUnaryData<Response>,
		response: Response,
	): Promise<void> {
		if (answer === "hang") return;
		if (answer === "crash") this.crash();
		else if (answer === "close") for (const socket of this.#sockets.values()) socket.end();
		else if (answer === "reset") for (const socket of this.#sockets.values()) socket.resetAndDestroy();
		else {
			const {
				code,
				details = "",
				trailers = {},
				delayMs,
				early,
			} = typeof answer === "object" ? answer : { code: answer };
			if (early) call.sendMetadata(new Metadata());
			if (delayMs !== undefined) await sleep(delayMs);
			const metadata = new Metadata();
			for (const [name, value] of Object.entries(trailers)) metadata.set(name, value);
			if (code === undefined || code === "OK") done(null, response, metadata);
			else done({ code: status[code], details, metadata } satisfies StatusObject);
		}
	}
}
