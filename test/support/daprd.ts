import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import {
	Client,
	type ClientDuplexStream,
	credentials,
	Metadata,
	type MethodDefinition,
	makeGenericClientConstructor,
	type ServiceError,
	status,
} from "@grpc/grpc-js";
import {
	InputBindingService,
	type InvokeRequest,
	type InvokeResponse,
	OutputBindingService,
	type ReadRequest,
	type ReadResponse,
} from "../../src/gen/dapr/proto/components/v1/bindings.js";
import { ServerReflection } from "./server-reflection.js";
import { type TempFolder, tempFolder } from "./temp-folder.js";

/** What the app says to one event: nothing, it took it; else the text that daprd reports. */
export type DaprdApp = (event: ReadResponse) => string | undefined | Promise<string | undefined>;

export interface DaprdOptions {
	/** The component's socket file. */
	readonly socket: string;
	/** The component's name. Default `orders`. */
	readonly component?: string;
	readonly properties: Readonly<Record<string, string>>;
	/** Those of the output, where daprd made other ones of `{uuid}`. Default: the same. */
	readonly outputProperties?: Readonly<Record<string, string>>;
	/** Default: both. */
	readonly direction?: "input" | "output";
	/** Default: it takes everything. */
	readonly app?: DaprdApp;
}

/** After its handlers daprd waits so long before it cancels a Read. */
const STOP_DELAY_MS = 400;
const CLOSING = "input binding is closed";

/**
 * Plays daprd's side of the pluggable protocol: discovery through reflection v1alpha, a connection for each half, Init, ListOperations, Read
 * without a first message, answers in the order in which the app ends, no reconnecting, and its faults.
 */
export class Daprd implements AsyncDisposable {
	readonly #options: DaprdOptions;
	readonly #relay: Relay;
	readonly #metadata = new Metadata();
	#input: Client | undefined;
	#output: Client | undefined;
	#stream: ClientDuplexStream<ReadRequest, ReadResponse> | undefined;
	#isClosing = false;
	#running = 0;
	/** Every event, in order of arrival, over all Reads. */
	readonly events: ReadResponse[] = [];
	/** How each Read ended. */
	readonly ended: (ServiceError | undefined)[] = [];
	/** What the app says; may be changed while it runs. */
	app: DaprdApp;

	private constructor(options: DaprdOptions, relay: Relay) {
		this.#options = options;
		this.#relay = relay;
		this.app = options.app ?? (() => undefined);
		this.#metadata.set("x-component-instance", options.component ?? "orders");
	}

	/** Connects to nothing yet. */
	static async create(options: DaprdOptions): Promise<Daprd> {
		return new Daprd(options, await Relay.open(options.socket));
	}

	/** Discovers the component, initializes it and reads, as daprd does when it starts. Rejects as the component does. */
	static async start(options: DaprdOptions): Promise<Daprd> {
		const daprd = await Daprd.create(options);
		try {
			await daprd.discover();
			await daprd.init();
			if (options.direction !== "output") daprd.read();
			return daprd;
		} catch (error) {
			await daprd[Symbol.asyncDispose]();
			throw error;
		}
	}

	/** The services that the socket offers, by reflection v1alpha. */
	async discover(): Promise<readonly string[]> {
		const client = new Client(this.#relay.address, credentials.createInsecure(), OWN_CHANNEL);
		try {
			return await new ServerReflection(client, "v1alpha").listServices();
		} finally {
			client.close();
		}
	}

	/** Init of each half on a connection of its own, and ListOperations. Again: as after a hot reload, on new connections. */
	async init(properties = this.#options.properties): Promise<void> {
		const { direction, outputProperties = properties } = this.#options;
		if (direction !== "output") await this.initInput(properties);
		if (direction !== "input") await this.initOutput(outputProperties);
	}

	async initInput(properties = this.#options.properties): Promise<void> {
		// daprd leaks the old connection of an input.
		this.#input = this.#connect(InputBindingService);
		await this.call(this.#input, InputBindingService.init, { metadata: { properties } });
	}

	async initOutput(properties = this.#options.properties): Promise<readonly string[]> {
		this.#output?.close();
		this.#output = this.#connect(OutputBindingService);
		await this.call(this.#output, OutputBindingService.init, { metadata: { properties } });
		return (await this.call(this.#output, OutputBindingService.listOperations, {})).operations;
	}

	/** Opens a Read. The one before, if it is open, goes on. */
	read(): ClientDuplexStream<ReadRequest, ReadResponse> {
		this.#input ??= this.#connect(InputBindingService);
		this.#isClosing = false;
		const { path, requestSerialize, responseDeserialize } = InputBindingService.read;
		const stream = this.#input.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, this.#metadata);
		stream.on("data", (event: ReadResponse) => void this.#handle(stream, event));
		let failure: ServiceError | undefined;
		stream.on("error", (error: ServiceError) => {
			failure = error;
		});
		stream.on("status", () => {
			this.ended.push(failure);
			if (this.#stream === stream) this.#stream = undefined;
		});
		this.#stream = stream;
		return stream;
	}

	/** True while a Read is open. */
	get isReading(): boolean {
		return this.#stream !== undefined;
	}

	/**
	 * Stops reading as daprd does: events of the last moments come back as not accepted, then Read is cancelled. False when that came at
	 * once, as no handler ran: the last answers may have gone with it.
	 */
	async stopReading(): Promise<boolean> {
		const stream = this.#stream;
		if (stream === undefined) return true;
		this.#isClosing = true;
		const hadWork = this.#running > 0;
		while (this.#running > 0) await delay(5);
		if (hadWork) await delay(STOP_DELAY_MS);
		await this.cancelRead();
		return hadWork;
	}

	/** Cancels Read at once. */
	async cancelRead(): Promise<void> {
		const stream = this.#stream;
		if (stream === undefined) return;
		const over = new Promise((resolve) => stream.once("status", resolve));
		stream.cancel();
		await over;
	}

	/** Sends an answer of one's own on the open Read. */
	answer(request: Partial<ReadRequest>): void {
		this.#stream?.write({ responseData: Buffer.alloc(0), messageId: "", responseError: undefined, ...request });
	}

	async invoke(
		request: Partial<InvokeRequest>,
		options: { readonly deadlineMs?: number; readonly signal?: AbortSignal } = {},
	): Promise<InvokeResponse> {
		this.#output ??= this.#connect(OutputBindingService);
		const whole = { data: Buffer.alloc(0), metadata: {}, operation: "create", ...request };
		return await this.call(this.#output, OutputBindingService.invoke, whole, options);
	}

	async ping(half: "input" | "output"): Promise<void> {
		this.#input ??= this.#connect(InputBindingService);
		this.#output ??= this.#connect(OutputBindingService);
		if (half === "input") await this.call(this.#input, InputBindingService.ping, {});
		else await this.call(this.#output, OutputBindingService.ping, {});
	}

	/** `kill -9`: every connection is gone without a word. */
	kill(): void {
		this.#relay.cut();
	}

	/** Any unary call. Rejects with the ServiceError. */
	call<Request, Response>(
		client: Client,
		{ path, requestSerialize, responseDeserialize }: MethodDefinition<Request, Response>,
		request: Request,
		{ deadlineMs, signal }: { readonly deadlineMs?: number; readonly signal?: AbortSignal } = {},
	): Promise<Response> {
		return new Promise((resolve, reject) => {
			const options = deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs };
			const done = (error: ServiceError | null, response?: Response) =>
				error === null ? resolve(response!) : reject(error);
			const call = client.makeUnaryRequest(
				path,
				requestSerialize,
				responseDeserialize,
				request,
				this.#metadata,
				options,
				done,
			);
			signal?.addEventListener("abort", () => call.cancel());
		});
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#stream?.cancel();
		this.#input?.close();
		this.#output?.close();
		await this.#relay[Symbol.asyncDispose]();
	}

	#connect(service: typeof InputBindingService | typeof OutputBindingService): Client {
		const Constructor = makeGenericClientConstructor(service, "daprd");
		return new Constructor(this.#relay.address, credentials.createInsecure(), OWN_CHANNEL);
	}

	async #handle(stream: ClientDuplexStream<ReadRequest, ReadResponse>, event: ReadResponse): Promise<void> {
		this.events.push(event);
		const { messageId } = event;
		let message: string | undefined;
		if (this.#isClosing) {
			message = CLOSING;
		} else {
			this.#running++;
			message = await this.app(event);
			this.#running--;
		}
		if (this.#stream !== stream) return;
		stream.write({
			responseData: Buffer.alloc(0),
			messageId,
			responseError: message === undefined ? undefined : { message },
		});
	}
}

/** daprd's connections are its own, and grow from no one else's. */
const OWN_CHANNEL = {
	"grpc.use_local_subchannel_pool": 1,
	"grpc.enable_retries": 0,
	"grpc.max_send_message_length": -1,
	"grpc.initial_reconnect_backoff_ms": 100,
	"grpc.max_reconnect_backoff_ms": 500,
};

/** A socket file in front of the component's: cutting it is what a killed daprd looks like. */
class Relay implements AsyncDisposable {
	readonly address: string;
	readonly #folder: TempFolder;
	readonly #server: Server;
	readonly #sockets = new Set<Socket>();

	private constructor(folder: TempFolder, server: Server, path: string) {
		this.#folder = folder;
		this.#server = server;
		this.address = `unix:${path}`;
	}

	static async open(target: string): Promise<Relay> {
		const folder = await tempFolder();
		const path = join(folder.path, "daprd");
		const server = createServer();
		const relay = new Relay(folder, server, path);
		server.on("connection", (near) => relay.#join(near, connect({ path: target })));
		await new Promise<void>((resolve) => server.listen({ path }, resolve));
		return relay;
	}

	/** Ends every connection; new ones may be made. */
	cut(): void {
		for (const socket of this.#sockets) socket.destroy();
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.cut();
		await new Promise((resolve) => this.#server.close(resolve));
		await this.#folder[Symbol.asyncDispose]();
	}

	#join(near: Socket, far: Socket): void {
		for (const [from, to] of [
			[near, far],
			[far, near],
		] as const) {
			this.#sockets.add(from);
			from.on("error", () => {});
			from.on("close", () => {
				this.#sockets.delete(from);
				to.destroy();
			});
			from.pipe(to, { end: false });
		}
	}
}

/** The name of a call's status, `FAILED_PRECONDITION`, and its words. Rejects when the call succeeds. */
export async function failureOf(call: Promise<unknown>): Promise<{ readonly code: string; readonly details: string }> {
	const outcome = await call.then(
		() => undefined,
		(error: ServiceError) => error,
	);
	if (outcome === undefined) throw new Error("the call succeeded");
	if (typeof outcome.code !== "number") throw outcome;
	return { code: status[outcome.code]!, details: outcome.details };
}
