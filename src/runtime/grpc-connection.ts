import { isIP } from "node:net";
import { Channel, type ChannelOptions, connectivityState } from "@grpc/grpc-js";
import { AppSockets } from "./grpc-sockets.js";

/** What grpc-js calls a call; it does not export the type. */
export type ChannelCall = ReturnType<Channel["createCall"]>;

/** Where an app listens for gRPC. */
export interface GrpcAddress {
	/** A host name or IP address; an IPv6 literal without brackets. */
	readonly host: string;
	readonly port: number;
	/** Certificates are not verified. */
	readonly tls: boolean;
}

/** The longest answer that is read. docs/decisions/0026-answers-of-a-grpc-app.md */
export const maxAnswerSize = 16 << 20;

const OPTIONS: ChannelOptions = {
	// What becomes of a call is ours to judge.
	"grpc.enable_retries": 0,
	"grpc.service_config_disable_resolution": 1,
	"grpc.enable_http_proxy": 0,
	"grpc.use_local_subchannel_pool": 1,
	"grpc.enable_channelz": 0,
	"grpc.max_receive_message_length": maxAnswerSize,
	"grpc.max_send_message_length": -1,
	// Only until the next call: a channel that could not connect is replaced.
	"grpc.initial_reconnect_backoff_ms": 100,
	"grpc.max_reconnect_backoff_ms": 1_000,
};

/** The connection to an app over gRPC: made when it is first needed, and anew after it ended. All calls share it. */
export class GrpcConnection {
	readonly #target: string;
	readonly #sockets: AppSockets;
	#channel: Channel | undefined;
	/** Those network connections on which the app has answered, by what grpc-js makes once for each. */
	readonly #served = new WeakSet<object>();
	#lastServed: object | undefined;
	#lastError: string | undefined;

	constructor({ host, port, tls }: GrpcAddress) {
		this.#target = targetOf(host, port);
		this.#sockets = new AppSockets(host, tls);
	}

	/** Why the latest attempt to connect failed, for people; undefined when it did not. */
	get lastError(): string | undefined {
		return this.#lastError;
	}

	/** The channel for the next call. */
	get channel(): Channel {
		this.#channel ??= new Channel(this.#target, this.#sockets, OPTIONS);
		return this.#channel;
	}

	/**
	 * A call found no connection, for this reason. grpc-js would try again by itself, and let calls fail in between: the next one is to try
	 * at once.
	 */
	failed(channel: Channel, reason: string): void {
		if (this.#channel !== channel) return;
		this.#lastError = reason;
		this.#channel = undefined;
		channel.close();
	}

	/** The app has answered a call, whatever it said. */
	answered(call: ChannelCall): void {
		const connection = call.getAuthContext();
		if (connection === null || connection === this.#lastServed) return;
		this.#lastServed = connection;
		this.#served.add(connection);
		this.#lastError = undefined;
	}

	/** Whether the app has answered another call on the connection that this one went out on. */
	hasServed(call: ChannelCall): boolean {
		const connection = call.getAuthContext();
		return connection !== null && this.#served.has(connection);
	}

	/** Ends everything. */
	close(): void {
		this.#channel?.close();
		this.#sockets.close();
	}
}

/** Whether the channel's connection has ended, or takes no more calls. */
export function isLost(channel: Channel): boolean {
	return channel.getConnectivityState(false) !== connectivityState.READY;
}

function targetOf(host: string, port: number): string {
	switch (isIP(host)) {
		case 4:
			return `ipv4:${host}:${port}`;
		case 6:
			return `ipv6:[${host}]:${port}`;
		default:
			return `dns:${host}:${port}`;
	}
}
