import { MqttConnectionError, type MqttConnectionReason, MqttProtocolError, MqttRefusedError } from "../errors.js";
import type { BrokerUrl } from "./broker-url.js";
import type { Connection, Dial, TlsSettings } from "./connection.js";
import { Decoder } from "./decode.js";
import { KeepAlive } from "./keep-alive.js";
import type { ConnAckPacket, ConnectPacket, Packet } from "./packet.js";
import { PacketWriter } from "./packet-writer.js";
import type { MqttSession } from "./session.js";
import { SubAckWatch } from "./suback-watch.js";
import type { SubscriptionProblem, Subscriptions } from "./subscriptions.js";

/** How long an orderly close waits for the broker's FIN. */
const LINGER_MS = 1_000;

/** What a connection tells its owner. */
export interface BrokerConnectionListener {
	/** CONNACK with return code 0, before any packet behind it is handled. */
	online(connAck: ConnAckPacket): void;
	/** A SUBACK came; `problems` are the filters that were not granted as asked. */
	subscribed(problems: readonly SubscriptionProblem[]): void;
	/** The connection is gone; called once, and only if online() was. */
	closed(cause: MqttConnectionError): void;
}

export interface BrokerConnectionOptions {
	readonly dial: Dial;
	readonly url: BrokerUrl;
	/** Read when the attempt begins, where it is a function: what it throws makes the attempt fail. */
	readonly tls?: TlsSettings | (() => TlsSettings) | undefined;
	/** The connection before was to another broker: whatever this one says of a session, it is not the one we know. */
	readonly isOtherBroker: boolean;
	/** Covers name lookup, TCP, TLS and CONNACK. */
	readonly connectTimeoutMs: number;
	readonly connect: ConnectPacket;
	readonly session: MqttSession;
	readonly subscriptions: Subscriptions;
	readonly listener: BrokerConnectionListener;
}

/** One Network Connection with the session running over it: one CONNECT, first [MQTT-3.1.0-1] [MQTT-3.1.0-2], DISCONNECT last. */
export class BrokerConnection {
	readonly #options: BrokerConnectionOptions;
	readonly #session: MqttSession;
	readonly #subscriptions: Subscriptions;
	readonly #decoder: Decoder;
	readonly #keepAlive: KeepAlive;
	readonly #writer: PacketWriter;
	#connection: Connection | undefined;
	/** `ending`: nothing is read or written any more, and closed() is coming. */
	#state: "opening" | "online" | "ending" | "closed" = "opening";
	/** Why it ends or ended. */
	#cause: MqttConnectionError | undefined;
	#connAck: ((result: ConnAckPacket | MqttConnectionError) => void) | undefined;
	#tls: TlsSettings | undefined;
	/** Called when the UNSUBACK of leave() has come. */
	#left: () => void = () => {};
	#flushScheduled = false;
	#paused = false;
	readonly #subAckWatch = new SubAckWatch();

	constructor(options: BrokerConnectionOptions) {
		this.#options = options;
		this.#session = options.session;
		this.#subscriptions = options.subscriptions;
		this.#decoder = new Decoder({
			from: "server",
			onPacket: (packet) => this.#receive(packet),
			admit: (header) => this.#session.inbound.admit(header),
		});
		this.#writer = new PacketWriter((bytes) => this.#write(bytes));
		this.#keepAlive = new KeepAlive({
			keepAliveMs: options.connect.keepAlive * 1_000,
			sendPing: () => this.#connection?.write(PINGREQ),
			dead: () => this.fail("dead", "no sign of life from the broker"),
		});
	}

	/**
	 * Connects; resolves when the broker accepted, by when online() was called and packets may have been handled.
	 * Rejects with MqttConnectionError or MqttRefusedError.
	 */
	async open(signal: AbortSignal): Promise<void> {
		const { dial, url, connectTimeoutMs } = this.#options;
		const startedAt = performance.now();
		this.#tls = this.#readTls();
		this.#connection = await dial(
			url,
			{ tls: this.#tls, timeoutMs: connectTimeoutMs },
			{
				data: (chunk) => this.#data(chunk),
				drain: () => this.schedule(),
				progress: () => this.#keepAlive.progress(),
				closed: (cause) => this.#closed(cause),
			},
			signal,
		);
		if (this.#cause !== undefined) throw this.#cause;
		const abort = () => this.fail("local", "connecting was given up");
		const left = Math.max(0, connectTimeoutMs - (performance.now() - startedAt));
		const timer = setTimeout(() => this.fail("timeout", `no CONNACK within ${connectTimeoutMs} ms`), left);
		signal.addEventListener("abort", abort, { once: true });
		try {
			const result = await new Promise<ConnAckPacket | MqttConnectionError>((resolve) => {
				this.#connAck = resolve;
				this.#subscriptions.connectWritten();
				this.#writer.packet(this.#options.connect);
				if (signal.aborted) abort();
			});
			if (result instanceof MqttConnectionError) throw result;
			if (result.returnCode !== 0) {
				const refusal = new MqttRefusedError(refusalText(result.returnCode, url.href), {
					returnCode: result.returnCode,
				});
				// [MQTT-3.2.2-5] has the broker close; some leave it open.
				this.fail("refused", refusal.message, refusal);
				throw refusal;
			}
		} finally {
			clearTimeout(timer);
			signal.removeEventListener("abort", abort);
		}
	}

	/** Any certificate of the broker was accepted. */
	get isUnverified(): boolean {
		return this.#tls?.insecureSkipVerify ?? false;
	}

	/** Certificates may have been renewed since the attempt before. */
	#readTls(): TlsSettings | undefined {
		const { url, tls } = this.#options;
		if (url.transport !== "tls" && url.transport !== "wss") return undefined;
		if (typeof tls !== "function") return tls;
		try {
			return tls();
		} catch (cause) {
			const reason = cause instanceof Error ? cause.message : String(cause);
			throw new MqttConnectionError(`cannot connect to ${url.href}: ${reason}`, {
				url: url.href,
				reason: "tls",
				cause,
			});
		}
	}

	/** Something may leave: written together at the end of this turn of the event loop. */
	schedule(): void {
		if (this.#flushScheduled || this.#state !== "online") return;
		this.#flushScheduled = true;
		setImmediate(() => this.#flush());
	}

	/** Called about once a second. */
	sweep(now: number): void {
		if (this.#state !== "online") return;
		this.subscribe();
		// Bytes of ours that cannot leave may wait for a broker that waits for us to read.
		if (this.#paused) this.#checkCap();
		const advice = this.#subAckWatch.look(this.#subscriptions.pendingSince, now);
		if (advice === "ping") this.#write(PINGREQ);
		else if (advice === "give-up") this.fail("protocol", "no SUBACK or UNSUBACK, though the broker answers PINGREQ");
	}

	/** Sends the SUBSCRIBE that is due, if one is. */
	subscribe(): void {
		if (this.#state !== "online") return;
		const now = performance.now();
		const leaving = this.#subscriptions.takeLeaving(now);
		if (leaving !== undefined) this.#writer.packet({ type: "unsubscribe", ...leaving });
		const request = this.#subscriptions.take(now);
		if (request !== undefined) this.#writer.packet({ type: "subscribe", ...request });
		if (this.#paused && (leaving ?? request) !== undefined) this.#checkCap();
	}

	/** Leaves every filter; resolves when the broker has answered, or has not within `timeoutMs`, or the connection is gone. */
	async leave(timeoutMs: number): Promise<void> {
		if (this.#state !== "online" || !this.#subscriptions.leaveAll()) return;
		this.#flush();
		await new Promise<void>((resolve) => {
			const timer = setTimeout(resolve, timeoutMs);
			this.#left = () => {
				clearTimeout(timer);
				resolve();
			};
			this.subscribe();
		});
	}

	/** Ends the connection at once, without DISCONNECT. */
	fail(reason: MqttConnectionReason, message: string, cause?: Error): void {
		this.#stop();
		this.#connection?.destroy(this.#error(reason, message, cause));
	}

	/**
	 * Ends it in order: acknowledgements that may leave, DISCONNECT, half-close, read to the end [MQTT-3.14.4-1]. Resolves when closed.
	 * `reason`: why, for closed().
	 */
	async disconnect(reason: string): Promise<void> {
		if (this.#state !== "online" || this.#connection === undefined) return;
		this.#session.writeAnswers(this.#writer);
		this.#writer.packet({ type: "disconnect" });
		// [MQTT-3.14.4-2]: nothing leaves after DISCONNECT; whoever comes later finds the state changed.
		this.#stop();
		this.#cause = this.#error("local", reason);
		await this.#connection.end(LINGER_MS);
	}

	#data(chunk: Buffer): void {
		this.#keepAlive.received();
		try {
			const error = this.#decoder.push(chunk);
			if (error !== undefined) this.#violated(error);
		} catch (error) {
			if (error instanceof MqttProtocolError) this.#violated(error);
			// [MQTT-4.8.0-2] Whatever went wrong on our side, this packet was not handled: the broker is to send it again.
			else this.fail("local", `a packet could not be handled: ${String(error)}`, error as Error);
		}
		if (this.#session.inbound.isOverCap) this.#checkCap();
	}

	#receive(packet: Packet): void {
		if (packet.type === "publish" && this.#state === "online") {
			this.#session.inbound.receive(packet);
		} else if (packet.type === "connAck") {
			this.#receiveConnAck(packet);
		} else if (this.#state === "opening") {
			throw new MqttProtocolError("MQTT-3.2.0-1", `${packet.type} packet before CONNACK`);
		} else if (packet.type === "subAck") {
			const now = performance.now();
			this.#options.listener.subscribed(this.#subscriptions.answered(packet.packetId, packet.returnCodes, now));
		} else if (packet.type === "unsubAck") {
			this.#subscriptions.left(packet.packetId);
			this.subscribe();
			if (!this.#subscriptions.isLeaving) this.#left();
		} else if (packet.type === "pingResp") {
			this.#subAckWatch.answered(performance.now());
		} else {
			this.#session.receive(packet);
			if (this.#session.hasOutput) this.schedule();
		}
	}

	#receiveConnAck(packet: ConnAckPacket): void {
		const connAck = this.#connAck;
		if (connAck === undefined) throw new MqttProtocolError("MQTT-3.2.0-1", "a second CONNACK");
		if (packet.sessionPresent && this.#options.connect.cleanSession) {
			throw new MqttProtocolError("MQTT-3.2.2-1", "session present in answer to a clean session");
		}
		this.#connAck = undefined;
		if (packet.returnCode === 0) {
			this.#state = "online";
			// Packets behind the CONNACK in the same chunk find the session ready.
			const { isOtherBroker } = this.#options;
			const isResumed = packet.sessionPresent && !isOtherBroker;
			this.#session.connected(isResumed, isOtherBroker);
			this.#subscriptions.connected(isResumed, performance.now());
			this.#options.listener.online(packet);
			this.#keepAlive.start();
			this.subscribe();
			this.schedule();
		}
		connAck(packet);
	}

	/** [MQTT-4.8.0-1]: what breaks the protocol ends the connection. */
	#violated(error: MqttProtocolError): void {
		this.fail("protocol", `the broker violated the protocol: ${error.message}`, error);
	}

	#write(bytes: Buffer): boolean {
		this.#keepAlive.sent();
		return this.#connection?.write(bytes) ?? false;
	}

	#flush(): void {
		this.#flushScheduled = false;
		if (this.#state !== "online" || this.#connection === undefined || this.#connection.isFull) return;
		this.#session.write(this.#writer);
		this.#writer.flush();
		if (this.#paused) this.#checkCap();
	}

	/** Back-pressure beyond the broker's window: stop reading, unless an answer is awaited; then pass messages by. */
	#checkCap(): void {
		const { inbound, outbound } = this.#session;
		if (inbound.isOverCap && !inbound.isSkipping) {
			const awaitsAnswer =
				outbound.pending > 0 ||
				this.#subscriptions.pendingSince !== undefined ||
				(this.#connection?.bytesWaiting ?? 0) > 0;
			if (!awaitsAnswer) {
				if (this.#paused) return;
				this.#paused = true;
				this.#connection?.pause();
				this.#keepAlive.suspend();
				return;
			}
			inbound.skip();
		}
		if (!this.#paused) return;
		this.#paused = false;
		this.#connection?.resume();
		this.#keepAlive.resume();
	}

	/** From here on nothing is read or written. */
	#stop(): void {
		this.#decoder.stop();
		this.#keepAlive.stop();
		if (this.#state === "online") this.#state = "ending";
	}

	#closed(cause: MqttConnectionError): void {
		const isOpening = this.#state === "opening";
		this.#stop();
		this.#state = "closed";
		this.#cause ??= cause;
		this.#left();
		if (isOpening) this.#connAck?.(cause);
		else this.#options.listener.closed(this.#cause);
	}

	#error(reason: MqttConnectionReason, message: string, cause?: Error): MqttConnectionError {
		const { href } = this.#options.url;
		return new MqttConnectionError(`${href}: ${message}`, { url: href, reason, ...(cause && { cause }) });
	}
}

const PINGREQ = Buffer.from([0xc0, 0x00]);

function refusalText(returnCode: number, href: string): string {
	const reasons = [
		"",
		"unacceptable protocol version",
		"the client identifier is not allowed",
		"the broker is unavailable",
		"bad user name or password",
		"not authorised",
	];
	return `${href}: the broker refused the connection: ${reasons[returnCode] ?? "unknown reason"} (return code ${returnCode})`;
}
