import { MqttConnectionError, MqttRefusedError } from "../errors.js";
import { Backoff, RECONNECT_BACKOFF, SLOW_BACKOFF } from "./backoff.js";
import type { BrokerConnection, BrokerConnectionListener } from "./broker-connection.js";
import type { ConnAckPacket } from "./packet.js";

/** Online for so long, a connection counts as stable: back-off starts anew, and redeliveries have all come. */
const STABLE_AFTER_MS = 10_000;

/** What a ReconnectLoop tells its owner, and whom it asks for connections. */
export interface ReconnectListener {
	/** An attempt begins: makes the connection that it opens. */
	connecting(listener: Pick<BrokerConnectionListener, "online" | "closed">): BrokerConnection;
	/** CONNACK with return code 0, before any packet behind it is handled. */
	online(connection: BrokerConnection, connAck: ConnAckPacket): void;
	/** A connection that was online is gone. `stable`: it was so for long enough that all redeliveries have come. */
	disconnected(stable: boolean, cause: MqttConnectionError): void;
	/** Another client with our identifier evicts us, as we evict it: coming back soon would only go on with that. */
	readonly isTakenOver: boolean;
	/** Nothing is connected; the next attempt comes in `delayMs`. */
	offline(why: "connect-failed" | "connect-refused" | "disconnected", cause: Error, delayMs: number): void;
}

/**
 * Connects, waits for the connection's end, waits a little, and connects again, until stopped. Never two connections at once, never
 * gives up, never spins.
 */
export class ReconnectLoop {
	readonly #listener: ReconnectListener;
	readonly #stop = new AbortController();
	readonly #backoff = new Backoff(RECONNECT_BACKOFF);
	/** For what will not change by itself: return codes 1, 2, 4 and 5, and certificates that do not fit. */
	readonly #slowBackoff = new Backoff(SLOW_BACKOFF);
	/** For a fight over the client identifier. */
	readonly #takenOverBackoff = new Backoff(SLOW_BACKOFF);
	#running: Promise<void> | undefined;
	#endPause: () => void = () => {};

	constructor(listener: ReconnectListener) {
		this.#listener = listener;
	}

	/** Begins. Idempotent. */
	start(): void {
		this.#running ??= this.#run();
	}

	/** Gives up an attempt under way, and makes no other. Resolves when a connection that is online has ended, which the owner sees to. */
	async stop(): Promise<void> {
		this.#stop.abort();
		this.#endPause();
		await this.#running;
	}

	async #run(): Promise<void> {
		while (!this.#stop.signal.aborted) {
			const delayMs = await this.#connectOnce();
			if (!this.#stop.signal.aborted) await this.#pause(delayMs);
		}
	}

	/** One connection from dial to its end. Returns how long to wait before the next. */
	async #connectOnce(): Promise<number> {
		let onlineAt = 0;
		let closed: (cause: MqttConnectionError) => void = () => {};
		const ended = new Promise<MqttConnectionError>((resolve) => {
			closed = resolve;
		});
		const connection = this.#listener.connecting({
			online: (connAck) => {
				onlineAt = performance.now();
				this.#slowBackoff.reset();
				this.#listener.online(connection, connAck);
			},
			closed: (cause) => {
				const isStable = performance.now() - onlineAt >= STABLE_AFTER_MS;
				if (isStable) this.#backoff.reset();
				// At once, so that nothing is settled in between for a connection that is gone.
				this.#listener.disconnected(isStable, cause);
				closed(cause);
			},
		});
		try {
			await connection.open(this.#stop.signal);
		} catch (error) {
			const cause = error instanceof Error ? error : new Error(String(error));
			const isSlow = isLasting(cause);
			const delayMs = (isSlow ? this.#slowBackoff : this.#backoff).next();
			this.#listener.offline(isSlow ? "connect-refused" : "connect-failed", cause, delayMs);
			return delayMs;
		}
		const cause = await ended;
		const delayMs = this.#afterEnd().next();
		this.#listener.offline("disconnected", cause, delayMs);
		return delayMs;
	}

	#afterEnd(): Backoff {
		if (this.#listener.isTakenOver) return this.#takenOverBackoff;
		this.#takenOverBackoff.reset();
		return this.#backoff;
	}

	#pause(delayMs: number): Promise<void> {
		return new Promise((resolve) => {
			const timer = setTimeout(resolve, delayMs);
			this.#endPause = () => {
				clearTimeout(timer);
				resolve();
			};
		});
	}
}

/** Somebody has to do something before the next attempt can end otherwise. */
function isLasting(cause: Error): boolean {
	if (cause instanceof MqttRefusedError) return cause.returnCode !== 3;
	return cause instanceof MqttConnectionError && cause.reason === "tls";
}
