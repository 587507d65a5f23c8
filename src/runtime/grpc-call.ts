import { type Channel, type InterceptingListener, type Metadata, type StatusObject, status } from "@grpc/grpc-js";
import type { ChannelCall, GrpcConnection } from "./grpc-connection.js";

/** What a call of a method with one message each way needs. */
export interface GrpcRequest {
	/** `/dapr.proto.runtime.v1.AppCallback/OnBindingEvent`. */
	readonly path: string;
	/** Is not changed: calls may share it. */
	readonly metadata: Metadata;
	readonly message: Buffer;
}

const noContext = {};

/** One call under way. On grpc-js's channel itself: its client makes an emitter, an error for its stack, and half a dozen closures for each. */
export class GrpcCall implements InterceptingListener {
	/** The channel that it went out on. */
	readonly channel: Channel;
	readonly #connection: GrpcConnection;
	readonly #call: ChannelCall;
	readonly #onEnd: (call: GrpcCall, status: StatusObject) => void;
	#answer: Buffer | undefined;
	#isAnswering = false;

	/** Sends the request. `onEnd` is called once, later. */
	constructor(
		connection: GrpcConnection,
		{ path, metadata, message }: GrpcRequest,
		onEnd: (call: GrpcCall, status: StatusObject) => void,
	) {
		this.#connection = connection;
		this.#onEnd = onEnd;
		this.channel = connection.channel;
		const call = this.channel.createCall(path, Number.POSITIVE_INFINITY, null, null, null);
		this.#call = call;
		call.start(metadata, this);
		call.startRead();
		call.sendMessageWithContext(noContext, message);
		call.halfClose();
	}

	/** The message that came back, if any did. */
	get answer(): Buffer | undefined {
		return this.#answer;
	}

	/** True once headers of a response came. */
	get isAnswering(): boolean {
		return this.#isAnswering;
	}

	/** True once it has gone out on a connection. */
	get isStarted(): boolean {
		return this.#call.getAuthContext() !== null;
	}

	/** Whether the app has answered a call on the connection that this one went out on. */
	get isReused(): boolean {
		return this.#connection.hasServed(this.#call);
	}

	/** Ends it; the app is told. */
	cancel(): void {
		this.#call.cancelWithStatus(status.CANCELLED, "given up");
	}

	/** The app has answered, whatever it said: its connection works. */
	noteAnswer(): void {
		this.#connection.answered(this.#call);
	}

	onReceiveMetadata(): void {
		this.#isAnswering = true;
		this.noteAnswer();
	}

	onReceiveMessage(message: Buffer): void {
		this.#answer ??= message;
		// grpc-js holds the status back until somebody has asked for each message that came.
		this.#call.startRead();
	}

	onReceiveStatus(status: StatusObject): void {
		this.#onEnd(this, status);
	}
}
