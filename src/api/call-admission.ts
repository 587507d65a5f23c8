import { constants, type ServerHttp2Stream } from "node:http2";
import {
	type Metadata,
	ServerInterceptingCall,
	type ServerInterceptingCallInterface,
	type ServerInterceptor,
	type ServerMethodDefinition,
	status,
} from "@grpc/grpc-js";
import type { GrpcCall } from "./grpc-call.js";
import type { RequestBudget } from "./request-budget.js";
import { BusyError } from "./status.js";

/** The message of a call must be here so soon, as over HTTP. */
const UPLOAD_MS = 30_000;
const CHECK_MS = 5_000;

export interface CallAdmissionOptions {
	/** True when the call may go on; else it gets UNAUTHENTICATED. */
	readonly isAuthentic: (metadata: Metadata) => boolean;
	/** How much callers may do at once, over HTTP and gRPC together. */
	readonly budget: RequestBudget;
	/** How long a message may take to arrive, and how often that is looked at, in milliseconds. Default 30 s and 5 s. */
	readonly uploadMs?: number | undefined;
	readonly checkMs?: number | undefined;
	/** Told of every call that showed the token, when it has ended. */
	readonly onCall?: ((call: GrpcCall) => void) | undefined;
}

type Method = ServerMethodDefinition<unknown, unknown>;

/** Lets calls in while there is room for them, before their message is read, and knows which ones are open. */
export class CallAdmission {
	readonly #options: CallAdmissionOptions;
	readonly #open = new Set<OpenCall>();
	/** Those whose message is not here yet, the oldest first. */
	readonly #uploading = new Set<OpenCall>();
	#timer: NodeJS.Timeout | undefined;

	constructor(options: CallAdmissionOptions) {
		this.#options = options;
	}

	/** To be put into the server. */
	readonly interceptor: ServerInterceptor = (method, call) => {
		const open = new OpenCall(method, call);
		return new ServerInterceptingCall(call, {
			start: (next) =>
				next({
					onReceiveMetadata: (metadata: Metadata, go) => {
						if (this.#admit(open, metadata)) go(metadata);
					},
					onReceiveMessage: (message: unknown, go) => {
						this.#giveBack(open);
						if (open.code === undefined) go(message);
					},
					onReceiveHalfClose: (go) => {
						this.#uploading.delete(open);
						if (open.code === undefined) go();
					},
					onCancel: () => this.#leave(open),
				}),
			sendStatus: (sent, go) => {
				open.code ??= sent.code;
				go(sent);
			},
		});
	};

	/** Ends the calls that nothing else ends: streams. */
	endStreams(): void {
		for (const open of this.#open) {
			if (open.isStream) open.end(status.UNAVAILABLE, "the sidecar is stopping");
		}
	}

	/** Ends every call that is still open, in a way that tells its caller what is known. */
	endAll(): void {
		for (const open of this.#open) {
			open.end(status.DEADLINE_EXCEEDED, "outcome unknown: the sidecar stopped before the broker had answered");
		}
	}

	#admit(open: OpenCall, metadata: Metadata): boolean {
		const { budget, isAuthentic } = this.#options;
		if (!isAuthentic(metadata)) {
			open.refuse(status.UNAUTHENTICATED, "invalid api token");
			return false;
		}
		open.isAuthentic = true;
		try {
			budget.enter();
		} catch (error) {
			if (!(error instanceof BusyError)) throw error;
			open.refuse(status.RESOURCE_EXHAUSTED, error.message);
			return false;
		}
		this.#open.add(open);
		if (!open.method.requestStream) this.#watch(open);
		open.onBytes((bytes) => {
			if (open.code !== undefined) return;
			if (budget.take(bytes)) open.held += bytes;
			else open.refuse(status.RESOURCE_EXHAUSTED, "too many request bodies at once");
		});
		return true;
	}

	#giveBack(open: OpenCall): void {
		this.#options.budget.give(open.held);
		open.held = 0;
	}

	/** Comes once for every call, whatever ended it. */
	#leave(open: OpenCall): void {
		if (this.#open.delete(open)) {
			this.#uploading.delete(open);
			this.#giveBack(open);
			this.#options.budget.leave();
		}
		const { onCall } = this.#options;
		if (onCall === undefined || !open.isAuthentic) return;
		const code = open.code ?? (open.isLate ? status.DEADLINE_EXCEEDED : status.CANCELLED);
		onCall({
			method: open.method.path,
			code: status[code] ?? "UNKNOWN",
			elapsedMs: performance.now() - open.startedAt,
		});
	}

	#watch(open: OpenCall): void {
		this.#uploading.add(open);
		const { checkMs = CHECK_MS } = this.#options;
		this.#timer ??= setTimeout(() => this.#endSlow(), checkMs).unref();
	}

	#endSlow(): void {
		this.#timer = undefined;
		const { uploadMs = UPLOAD_MS, checkMs = CHECK_MS } = this.#options;
		const now = performance.now();
		for (const open of this.#uploading) {
			if (now - open.startedAt < uploadMs) break;
			this.#uploading.delete(open);
			open.refuse(status.DEADLINE_EXCEEDED, `the message did not arrive within ${uploadMs} ms`);
		}
		if (this.#uploading.size > 0) this.#timer = setTimeout(() => this.#endSlow(), checkMs).unref();
	}
}

/** One call between its metadata and its end. */
class OpenCall {
	readonly method: Method;
	readonly startedAt = performance.now();
	readonly #call: ServerInterceptingCallInterface;
	/** Set once its status is on its way. */
	code: status | undefined;
	isAuthentic = false;
	/** How many bytes of a message have come that is not whole yet. */
	held = 0;

	constructor(method: Method, call: ServerInterceptingCallInterface) {
		this.method = method;
		this.#call = call;
	}

	get isStream(): boolean {
		return this.method.requestStream || this.method.responseStream;
	}

	/** Its deadline has passed. */
	get isLate(): boolean {
		return Number(this.#call.getDeadline()) <= Date.now();
	}

	/** Answers it. Does nothing when it is answered already. */
	end(code: status, details: string): void {
		if (this.code !== undefined) return;
		this.code = code;
		this.#call.sendStatus({ code, details });
	}

	/** Answers it before its message is here, and wants nothing more of it: the caller may have much to say, or never come to an end. */
	refuse(code: status, details: string): void {
		this.end(code, details);
		this.#stream?.close(constants.NGHTTP2_NO_ERROR);
	}

	/** Told how many bytes came, each time. */
	onBytes(listener: (bytes: number) => void): void {
		this.#stream?.on("data", (chunk: Buffer) => listener(chunk.byteLength));
	}

	/** grpc-js keeps what has come of a message and tells nobody how much; the stream beneath does, of which only this knows. */
	get #stream(): ServerHttp2Stream | undefined {
		return (this.#call as unknown as { readonly stream?: ServerHttp2Stream }).stream;
	}
}
