import { createServer } from "node:net";
import type { Duplex } from "node:stream";
import { Aedes, type AedesPublishPacket } from "aedes";
import { PublishError } from "../errors.js";
import { admission, faultOfTopic } from "./admission.js";
import { GuardedConnection } from "./guarded-connection.js";
import { Listeners } from "./listeners.js";
import { createWebSocketListener } from "./websocket-listener.js";

/** What `startBroker` takes; all of it optional. */
export interface BrokerOptions {
	/** The address to listen on; default `127.0.0.1`. */
	readonly host?: string;
	/** TCP port; default 0, any free one. */
	readonly port?: number;
	/** Listen for MQTT over WebSocket as well, on this port; 0: any free one. Default: not at all. */
	readonly websocketPort?: number;
	/** With it, only clients that give this user name and `password` are let in. */
	readonly username?: string;
	readonly password?: string;
	/** Connections at once; more are closed as they come. Default 1,000. */
	readonly maxConnections?: number;
	/** How long a connection may take to send CONNECT, in milliseconds; default 5,000. */
	readonly connectTimeoutMs?: number;
}

/** A message as the broker got it, from a client or from `publish`. */
export interface BrokerMessage {
	readonly topic: string;
	readonly payload: Uint8Array;
	readonly qos: 0 | 1 | 2;
	readonly retain: boolean;
	/** The client that published it; absent when the program itself did, with `publish`. */
	readonly clientId?: string | undefined;
}

/** How `publish` publishes. */
export interface PublishOptions {
	/** Default 1. */
	readonly qos?: 0 | 1 | 2;
	/** Default false. */
	readonly retain?: boolean;
}

/** A running MQTT 3.1.1 broker, in this process and in memory: for tests, demos and development. */
export interface Broker extends AsyncDisposable {
	/** `mqtt://host:port`, without user name and password. */
	readonly url: string;
	/** The TCP port. */
	readonly port: number;
	/** `ws://host:port`, where WebSocket was asked for. */
	readonly websocketUrl: string | undefined;
	/** The identifiers of the clients that are connected. */
	readonly clients: readonly string[];
	/**
	 * Publishes to the subscribers and resolves once it is handed to the connected ones and stored for the others.
	 * Defaults: QoS 1, not retained; a string goes out as UTF-8. Rejects with PublishError for a topic that is none.
	 */
	publish(topic: string, payload: string | Uint8Array, options?: PublishOptions): Promise<void>;
	/**
	 * Calls `listener` for each message published from now on, the broker's own `$SYS/` ones left out; returns how to stop that.
	 * A client may have its acknowledgement a moment before the listener is called.
	 */
	onPublish(listener: (message: BrokerMessage) => void): () => void;
	/** Ends all connections and stops listening; sessions and retained messages are gone. Idempotent. */
	close(): Promise<void>;
}

/**
 * Starts a broker; resolves once it listens. Rejects with ConfigurationError when a port can't be had or a password has no user name.
 *
 * ```ts
 * await using broker = await startBroker();
 * ```
 */
export async function startBroker(options: BrokerOptions = {}): Promise<Broker> {
	const { host = "127.0.0.1", port = 0, websocketPort, maxConnections = 1_000, connectTimeoutMs = 5_000 } = options;
	const policy = admission(options.username, options.password);
	const aedes = await Aedes.createBroker({ ...policy, connectTimeout: connectTimeoutMs });
	const listeners = new Listeners(host, maxConnections);
	const broker = new EmbeddedBroker(aedes, listeners);
	const handle = (connection: Duplex) => void aedes.handle(new GuardedConnection(connection));
	try {
		broker.port = await listeners.open(createServer({ noDelay: true }, handle), port);
		broker.url = listeners.urlOf("mqtt", broker.port);
		if (websocketPort !== undefined) {
			const server = await createWebSocketListener(connectTimeoutMs, handle);
			broker.websocketUrl = listeners.urlOf("ws", await listeners.open(server, websocketPort));
		}
		return broker;
	} catch (error) {
		await broker.close();
		throw error;
	}
}

class EmbeddedBroker implements Broker {
	url = "";
	port = 0;
	websocketUrl: string | undefined;
	readonly #aedes: Aedes;
	readonly #listeners: Listeners;
	#closed: Promise<void> | undefined;

	constructor(aedes: Aedes, listeners: Listeners) {
		this.#aedes = aedes;
		this.#listeners = listeners;
	}

	get clients(): readonly string[] {
		// aedes keeps them by identifier, without a word of it in its types.
		const { clients } = this.#aedes as unknown as { readonly clients: Readonly<Record<string, unknown>> };
		return Object.keys(clients);
	}

	async publish(
		topic: string,
		payload: string | Uint8Array,
		{ qos = 1, retain = false }: PublishOptions = {},
	): Promise<void> {
		if (this.#closed) throw new PublishError("the broker is closed", { outcome: "not-sent" });
		const fault = faultOfTopic(topic);
		if (fault) throw new PublishError(`topic ${JSON.stringify(topic.slice(0, 200))} ${fault}`, { outcome: "not-sent" });
		const packet = { cmd: "publish", topic, payload: Buffer.from(payload), qos, retain, dup: false } as const;
		await new Promise<void>((resolve, reject) => {
			this.#aedes.publish(packet, (cause) =>
				cause ? reject(new PublishError(cause.message, { outcome: "not-sent", cause })) : resolve(),
			);
		});
	}

	onPublish(listener: (message: BrokerMessage) => void): () => void {
		const onPacket = (packet: AedesPublishPacket, client: { readonly id: string } | null) => {
			const { topic, qos, retain } = packet;
			if (topic.startsWith("$SYS/")) return;
			listener({ topic, payload: Buffer.from(packet.payload), qos, retain, clientId: client?.id });
		};
		this.#aedes.on("publish", onPacket);
		return () => void this.#aedes.off("publish", onPacket);
	}

	close(): Promise<void> {
		this.#closed ??= new Promise<void>((resolve) => this.#aedes.close(resolve)).then(() => this.#listeners.close());
		return this.#closed;
	}

	[Symbol.asyncDispose](): Promise<void> {
		return this.close();
	}
}
