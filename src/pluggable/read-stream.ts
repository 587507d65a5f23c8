import type { ServerDuplexStream, status } from "@grpc/grpc-js";
import type { ReadResponse, Verdict } from "../bindings/binding.js";
import { AppError } from "../errors.js";
import type { ReadRequest } from "../gen/dapr/proto/components/v1/bindings.js";
import { MessageBatch } from "../grpc/message-batch.js";
import { verdictOf } from "./daprd-answer.js";
import { EventHeads, EventMessage } from "./event-message.js";

/** grpc-go's limit, which daprd leaves as it is: a longer message would end the stream, and daprd opens no other. */
export const MAX_MESSAGE_BYTES = 4 * 1_024 * 1_024;

/** What goes out is encoded here: its length must be known before it is written. */
export type ReadCall = ServerDuplexStream<ReadRequest, MessageBatch>;

interface Pending {
	readonly resolve: (verdict: Verdict) => void;
	readonly signal: AbortSignal;
}

/** What listens to a signal, for so many events: a binding uses one signal for all its deliveries, unless there is a `handlerTimeout`. */
interface Listener {
	readonly abort: () => void;
	events: number;
}

const NO_VERDICT: Verdict = Object.freeze({ kind: "none" });

/** One Read of daprd: events go out, what became of each comes back by its message id. */
export class ReadStream {
	readonly #call: ReadCall;
	readonly #pending = new Map<string, Pending>();
	/** Signals of what is pending. */
	readonly #signals = new Map<AbortSignal, Listener>();
	readonly #heads = new EventHeads();
	#batch = new MessageBatch();
	/** A batch is on its way. */
	#isWriting = false;
	#lastId = 0;
	#isOver = false;
	#unknownIds = 0;
	/** Resolves when the stream is over, whoever ended it. */
	readonly over: Promise<void>;

	/** `onUnknownId`: told, with their number so far, of answers to events that are none, or were answered already. */
	constructor(call: ReadCall, onUnknownId: (count: number) => void) {
		this.#call = call;
		this.over = new Promise((resolve) => {
			const end = () => {
				this.#end();
				resolve();
			};
			call.once("cancelled", end);
			call.once("error", end);
			call.once("close", end);
			// daprd never closes its half alone; whoever does has nothing more to say.
			call.once("end", () => {
				call.end();
				end();
			});
		});
		call.on("data", (answer: ReadRequest) => this.#answered(answer, onUnknownId));
	}

	get isOver(): boolean {
		return this.#isOver;
	}

	/** Hands one event over. Resolves with what became of it; without a verdict when the stream ends, or `signal` aborts, first. */
	send(event: ReadResponse, signal: AbortSignal): Verdict | Promise<Verdict> {
		if (this.#isOver || signal.aborted) return NO_VERDICT;
		if (event.data.length > MAX_MESSAGE_BYTES) return unfit(event.data.length);
		const messageId = String(++this.#lastId);
		const message = new EventMessage(event, messageId, this.#heads);
		if (message.size > MAX_MESSAGE_BYTES) return unfit(message.size);
		this.#listenTo(signal);
		if (this.#batch.length === 0 && !this.#isWriting) setImmediate(this.#write);
		this.#batch.add(message);
		return new Promise((resolve) => this.#pending.set(messageId, { resolve, signal }));
	}

	/** Ends it with a status; what is pending gets no verdict. */
	end(code: status, details: string): void {
		if (this.#isOver) return;
		this.#end();
		this.#call.emit("error", { code, details });
	}

	/** What has come together in this turn of the event loop, or while the write before went out. */
	readonly #write = (): void => {
		this.#isWriting = false;
		if (this.#isOver || this.#batch.length === 0) return;
		const batch = this.#batch;
		this.#batch = new MessageBatch();
		this.#isWriting = true;
		this.#call.write(batch, this.#write);
	};

	#end(): void {
		this.#isOver = true;
		this.#batch = new MessageBatch();
		for (const { resolve } of this.#pending.values()) resolve(NO_VERDICT);
		this.#pending.clear();
		// The binding's own signal outlives many streams.
		for (const [signal, { abort }] of this.#signals) signal.removeEventListener("abort", abort);
		this.#signals.clear();
	}

	#answered(answer: ReadRequest, onUnknownId: (count: number) => void): void {
		const pending = this.#pending.get(answer.messageId);
		if (pending === undefined) {
			// An empty one comes from clients that open a stream with a first message.
			if (answer.messageId !== "") onUnknownId(++this.#unknownIds);
			return;
		}
		this.#pending.delete(answer.messageId);
		this.#leave(pending.signal);
		pending.resolve(verdictOf(answer));
	}

	#listenTo(signal: AbortSignal): void {
		const known = this.#signals.get(signal);
		if (known !== undefined) {
			known.events++;
			return;
		}
		const abort = () => {
			this.#signals.delete(signal);
			for (const [id, pending] of this.#pending) {
				if (pending.signal !== signal) continue;
				this.#pending.delete(id);
				pending.resolve(NO_VERDICT);
			}
		};
		this.#signals.set(signal, { abort, events: 1 });
		signal.addEventListener("abort", abort, { once: true });
	}

	/** One of its events is answered. */
	#leave(signal: AbortSignal): void {
		const listener = this.#signals.get(signal);
		if (listener === undefined || --listener.events > 0) return;
		this.#signals.delete(signal);
		signal.removeEventListener("abort", listener.abort);
	}
}

function unfit(bytes: number): Verdict {
	const message = `daprd takes no message over ${MAX_MESSAGE_BYTES} bytes, and this one has ${bytes} with its metadata`;
	return { kind: "unfit", error: new AppError(message, { outcome: "failed" }) };
}
