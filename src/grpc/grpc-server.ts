import type { Socket } from "node:net";
import {
	logVerbosity,
	Server,
	ServerCredentials,
	type ServerInterceptor,
	type ServiceDefinition,
	setLogVerbosity,
	type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import type { ConnectionTaker } from "./lazy-listener.js";
import { addReflection } from "./reflection.js";

/** A service and what serves it. */
export interface GrpcService {
	/** With its package: `grpc.health.v1.Health`. */
	readonly name: string;
	readonly definition: ServiceDefinition;
	readonly implementation: UntypedServiceImplementation;
}

export interface GrpcServerOptions {
	readonly services: readonly GrpcService[];
	/** The longest message that is taken, in bytes: a longer one is answered with RESOURCE_EXHAUSTED. */
	readonly maxMessageSize: number;
	/** Calls at once on one connection; further ones wait at the caller. */
	readonly maxStreams: number;
	/** What sees each call before its message is read; the first one first. */
	readonly interceptors?: readonly ServerInterceptor[] | undefined;
	/** A connection without calls is closed after so long. Absent: it stays. */
	readonly maxIdleMs?: number | undefined;
}

/** As daprd: a peer that is gone without a word is noticed. */
const KEEPALIVE_MS = 60_000;
const KEEPALIVE_TIMEOUT_MS = 20_000;
/** Megabytes that Node's HTTP/2 may hold for one connection. */
const MAX_SESSION_MEMORY = 64;
/** What a client says first in HTTP/2, before any call. */
const PREFACE_BYTES = 24;
const MAX_HEADER_BYTES = 16 * 1_024;

/** A gRPC server for connections that others accept, with server reflection (v1 and v1alpha) of its services. */
export class GrpcServer implements ConnectionTaker {
	readonly #server: Server;
	readonly #injector: { injectConnection(socket: Socket): void };
	readonly #sockets = new Map<string, Socket>();
	#taken = 0;

	constructor(options: GrpcServerOptions) {
		const { services, maxMessageSize, maxStreams, interceptors = [], maxIdleMs } = options;
		// It would print headers of callers, one of them the token, where they hold characters that gRPC does not allow.
		setLogVerbosity(logVerbosity.NONE);
		this.#server = new Server({
			"grpc.max_receive_message_length": maxMessageSize,
			"grpc.max_send_message_length": -1,
			"grpc.max_concurrent_streams": maxStreams,
			"grpc.max_metadata_size": MAX_HEADER_BYTES,
			"grpc.keepalive_time_ms": KEEPALIVE_MS,
			"grpc.keepalive_timeout_ms": KEEPALIVE_TIMEOUT_MS,
			"grpc-node.max_session_memory": MAX_SESSION_MEMORY,
			"grpc.enable_channelz": 0,
			...(maxIdleMs !== undefined && { "grpc.max_connection_idle_ms": maxIdleMs }),
			interceptors: [...interceptors],
		});
		for (const { definition, implementation } of services) this.#server.addService(definition, implementation);
		addReflection(
			this.#server,
			services.map(({ name }) => name),
		);
		this.#injector = this.#server.createConnectionInjector(ServerCredentials.createInsecure());
	}

	take(socket: Socket): void {
		const peer = peerOf(socket, ++this.#taken);
		this.#sockets.set(peer, socket);
		socket.once("close", () => this.#sockets.delete(peer));
		this.#injector.injectConnection(socket);
	}

	/** Whether the connection is open on which a call came whose `getPeer()` was this. */
	isConnected(peer: string): boolean {
		return this.#sockets.has(peer);
	}

	/** Takes no new call; resolves when the open ones have ended, or were cut off after `graceMs`. */
	async close(graceMs: number): Promise<void> {
		// Nothing would end those before the grace period does.
		for (const socket of this.#sockets.values()) if (socket.bytesRead < PREFACE_BYTES) socket.destroy();
		const done = new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve()));
		const timer = setTimeout(() => this.#cutOff(), graceMs);
		await done;
		clearTimeout(timer);
		this.#cutOff();
	}

	#cutOff(): void {
		this.#server.forceShutdown();
		for (const socket of this.#sockets.values()) socket.destroy();
	}
}

/** What `getPeer()` of a call on this connection returns. The other end of a Unix socket has no address: it gets a number for one. */
function peerOf(socket: Socket, number: number): string {
	if (socket.remoteAddress !== undefined) return `${socket.remoteAddress}:${socket.remotePort}`;
	const peer = `connection ${number}`;
	Object.defineProperty(socket, "remoteAddress", { value: peer });
	return peer;
}
