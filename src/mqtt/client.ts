import { setTimeout as sleep } from "node:timers/promises";
import { MqttConnectionError, MqttProtocolError, MqttRefusedError, PublishError, StateError } from "../errors.js";
import { Backoff, RECONNECT_BACKOFF, SLOW_BACKOFF } from "./backoff.js";
import { BrokerConnection } from "./broker-connection.js";
import type { BrokerUrl } from "./broker-url.js";
import type { ClientState, ClientStatus } from "./client-status.js";
import { type Dial, dial, type TlsSettings } from "./connection.js";
import type { Delivery } from "./delivery.js";
import type { DeliveryListener, InboundCounters } from "./inbound.js";
import type { OutboundPublish } from "./outbound.js";
import type { ApplicationMessage, ConnAckPacket, ConnectPacket, Subscription, Will } from "./packet.js";
import { PublishDeadlines } from "./publish-deadlines.js";
import type { Report } from "./report.js";
import { MqttSession } from "./session.js";
import { type SubscriptionProblem, Subscriptions } from "./subscriptions.js";
import { checkTopicName } from "./topic.js";

/** Online for so long, a connection counts as stable: back-off starts anew, and redeliveries have all come. */
const STABLE_AFTER_MS = 10_000;
/** Settled acknowledgements wait so long behind an unsettled delivery, then it is passed over. */
const BLOCKING_AT_MOST_MS = 10_000;
/** A connection that passed messages by is resumed at most so often. */
const RESUME_EVERY_MS = 60_000;
/** Publishes fill their bound and nothing is acknowledged for so long: the connection is given up. */
const UNANSWERED_AT_MOST_MS = 30_000;
const SWEEP_MS = 1_000;

export interface MqttClientOptions {
	readonly url: BrokerUrl;
	readonly tls?: TlsSettings | undefined;
	readonly clientId: string;
	readonly cleanSession: boolean;
	readonly username?: string | undefined;
	readonly password?: string | undefined;
	readonly will?: Will | undefined;
	/** Milliseconds, whole seconds from 1 to 65,535 of them. */
	readonly keepAliveMs: number;
	readonly connectTimeoutMs: number;
	/** The deadline of a publish that names none. */
	readonly publishTimeoutMs: number;
	/** What subscribe() subscribes to. */
	readonly subscriptions: readonly Subscription[];
	readonly ackOrder: "arrival" | "strict";
	readonly maxBuffered: number;
	readonly maxPayloadSize: number;
	/** Gets every message; in place before CONNECT. Absent: messages are not read at all. */
	readonly listener?: DeliveryListener | undefined;
	readonly onReport?: ((report: Report) => void) | undefined;
	/** How connections are made; tests pass their own. */
	readonly dial?: Dial | undefined;
}

/** One publish; QoS and RETAIN as in the message. */
export interface PublishOptions {
	readonly signal?: AbortSignal | undefined;
	/** Milliseconds from now; default the client's `publishTimeoutMs`. */
	readonly timeoutMs?: number | undefined;
}

/** Connection, session and reconnecting: an MQTT 3.1.1 client that acknowledges only what its listener accepted. */
export class MqttClient {
	readonly #options: MqttClientOptions;
	readonly #session: MqttSession;
	readonly #subscriptions: Subscriptions;
	readonly #deadlines: PublishDeadlines;
	readonly #closing = new AbortController();
	readonly #reconnect = new Backoff(RECONNECT_BACKOFF);
	readonly #slow = new Backoff(SLOW_BACKOFF);
	readonly #stateListeners = new Set<(state: ClientState, cause?: Error) => void>();
	#connection: BrokerConnection | undefined;
	#state: ClientState = "offline";
	#since = performance.now();
	#cause: Error | undefined;
	#connects = 0;
	#running: Promise<void> | undefined;
	#closed: Promise<void> | undefined;
	#lastArrival = 0;
	/** How many answers to publishes had come, and when that last changed. */
	#answered = { count: 0, at: 0 };
	#lastResume = Number.NEGATIVE_INFINITY;
	/** The delivery that settled acknowledgements wait behind, and since when. */
	#blocking: { readonly delivery: unknown; readonly since: number } | undefined;

	constructor(options: MqttClientOptions) {
		this.#options = options;
		const { listener } = options;
		this.#session = new MqttSession(
			{
				strict: options.ackOrder === "strict",
				maxBuffered: options.maxBuffered,
				maxPayloadSize: options.maxPayloadSize,
				delivers: listener !== undefined,
			},
			{
				delivered: (delivery) => {
					this.#lastArrival = performance.now();
					listener?.delivered(delivery);
				},
				adopted: (delivery) => listener?.adopted(delivery),
				orphaned: () => listener?.orphaned(),
				died: (delivery) => listener?.died(delivery),
			},
		);
		this.#session.onOutput = () => this.#connection?.schedule();
		this.#subscriptions = new Subscriptions(options.subscriptions);
		this.#deadlines = new PublishDeadlines(this.#session.outbound);
	}

	/**
	 * `offline`: not connected, the next attempt is coming or connect() was not called. `connecting`: an attempt is under way. `online`: the
	 * broker accepted. `closed`: for good.
	 */
	get state(): ClientState {
		return this.#state;
	}

	get counters(): Readonly<InboundCounters> {
		return this.#session.inbound.counters;
	}

	/** Un-acknowledged deliveries of the present connection. */
	unacknowledged(): Iterable<Delivery> {
		return this.#session.inbound.unacknowledged();
	}

	status(): ClientStatus {
		const { inbound, outbound } = this.#session;
		return {
			state: this.#state,
			since: this.#since,
			url: this.#options.url,
			cause: this.#cause,
			connects: this.#connects,
			subscribing: this.#subscriptions.isRequested,
			subscribed: this.#subscriptions.isComplete,
			problems: this.#subscriptions.problems(),
			outstanding: inbound.outstanding,
			buffered: inbound.buffered,
			pending: outbound.pending,
			lastArrival: this.#lastArrival,
		};
	}

	/**
	 * Begins to connect, and from then on reconnects by itself until closed. Resolves on the first accepted CONNACK, never for want of
	 * a broker; rejects when `signal` aborts (the attempts go on) or the client is closed.
	 */
	connect(signal?: AbortSignal): Promise<void> {
		if (this.#state === "closed") return Promise.reject(new StateError("the client is closed"));
		this.#running ??= this.#run();
		if (this.#state === "online") return Promise.resolve();
		return new Promise((resolve, reject) => {
			const settle = (error?: Error) => {
				off();
				signal?.removeEventListener("abort", abort);
				if (error === undefined) resolve();
				else reject(error);
			};
			const abort = () => settle(signal?.reason instanceof Error ? signal.reason : new StateError("aborted"));
			const off = this.on("state", (state) => {
				if (state === "online") settle();
				else if (state === "closed") settle(new StateError("the client was closed before it was online"));
			});
			signal?.addEventListener("abort", abort, { once: true });
			if (signal?.aborted) abort();
		});
	}

	/** Somebody reads from now on: SUBSCRIBE goes out now, and after later CONNACKs as often as safety asks. Idempotent. */
	subscribe(): void {
		if (this.#subscriptions.request()) this.#connection?.subscribe();
	}

	/**
	 * Publishes. Resolves when the handshake is complete (QoS 0: when handed to the socket); waits for the broker while it is away. Rejects
	 * with PublishError, or MqttProtocolError for a topic that is none. After a rejection no PUBLISH of this message is written again.
	 * The payload must not be changed before that.
	 */
	publish(message: ApplicationMessage, { signal, timeoutMs }: PublishOptions = {}): Promise<void> {
		const { topic, payload, qos, retain } = message;
		const problem = checkTopicName(topic);
		if (problem !== undefined) {
			return Promise.reject(
				new MqttProtocolError("MQTT-3.3.2-1", `topic ${JSON.stringify(topic.slice(0, 100))}: ${problem}`),
			);
		}
		if (this.#state === "closed") {
			return Promise.reject(new PublishError("the client is closed", { outcome: "not-sent" }));
		}
		if (signal?.aborted) return Promise.reject(new PublishError("the call was cancelled", { outcome: "not-sent" }));
		return new Promise((resolve, reject) => {
			let abort: (() => void) | undefined;
			const publish: OutboundPublish = {
				topic,
				topicLength: Buffer.byteLength(topic),
				payload,
				qos,
				retain,
				deadline: performance.now() + (timeoutMs ?? this.#options.publishTimeoutMs),
				settle: (error) => {
					if (abort !== undefined) signal?.removeEventListener("abort", abort);
					if (error === undefined) resolve();
					else reject(error);
				},
				packetId: 0,
				dup: false,
				written: false,
				settled: false,
			};
			try {
				this.#session.outbound.enqueue(publish);
			} catch (error) {
				reject(error);
				return;
			}
			if (signal !== undefined) {
				abort = () => this.#session.outbound.abandon(publish, "the call was cancelled");
				signal.addEventListener("abort", abort, { once: true });
			}
			this.#deadlines.add(publish, this.#stateText);
			const connection = this.#connection;
			if (connection !== undefined) {
				connection.schedule();
				connection.wake();
			}
		});
	}

	/** From here on messages that arrive are passed by, un-acknowledged, while answers to publishes are still read. */
	stopIntake(): void {
		this.#session.inbound.drain();
	}

	/**
	 * Ends in order: what can be acknowledged leaves, then DISCONNECT; reads to the broker's FIN. Publishes that are unanswered reject. Idempotent;
	 * resolves when the connection is closed.
	 */
	close(): Promise<void> {
		this.#closed ??= this.#close();
		return this.#closed;
	}

	/** Listens to changes of state; returns the function that stops listening. */
	on(_event: "state", listener: (state: ClientState, cause?: Error) => void): () => void {
		this.#stateListeners.add(listener);
		return () => this.#stateListeners.delete(listener);
	}

	readonly #stateText = (): string => {
		if (this.#state === "online") return "the broker did not answer in time";
		return `not connected to ${this.#options.url.href}${this.#cause === undefined ? "" : ` (${this.#cause.message})`}`;
	};

	async #close(): Promise<void> {
		const { inbound, outbound } = this.#session;
		inbound.drain();
		for (const delivery of [...inbound.unacknowledged()]) delivery.passOver();
		await this.#connection?.disconnect();
		this.#setState("closed");
		this.#closing.abort();
		this.#deadlines.clear();
		outbound.close("the client was closed");
		await this.#running;
	}

	async #run(): Promise<void> {
		while (!this.#closing.signal.aborted) {
			const delayMs = await this.#connectOnce();
			if (this.#closing.signal.aborted) return;
			await sleep(delayMs, undefined, { signal: this.#closing.signal }).catch(() => {});
		}
	}

	/** One connection from dial to its end. Returns how long to wait before the next. */
	async #connectOnce(): Promise<number> {
		let closed: (cause: MqttConnectionError) => void = () => {};
		const ended = new Promise<MqttConnectionError>((resolve) => {
			closed = resolve;
		});
		let onlineAt = 0;
		this.#setState("connecting");
		const connection = new BrokerConnection({
			dial: this.#options.dial ?? dial,
			url: this.#options.url,
			tls: this.#options.tls,
			connectTimeoutMs: this.#options.connectTimeoutMs,
			connect: this.#connectPacket(),
			session: this.#session,
			subscriptions: this.#subscriptions,
			onOnline: (connAck) => {
				onlineAt = performance.now();
				this.#connection = connection;
				this.#online(connAck);
			},
			onSubscribed: (problems) => this.#subscribed(problems),
			onClosed: closed,
		});
		try {
			await connection.open(this.#closing.signal);
		} catch (error) {
			const cause = error instanceof Error ? error : new Error(String(error));
			const isSlow =
				(cause instanceof MqttRefusedError && cause.returnCode !== 3) ||
				(cause instanceof MqttConnectionError && cause.reason === "tls");
			const delayMs = (isSlow ? this.#slow : this.#reconnect).next();
			this.#offline(isSlow ? "connect-refused" : "connect-failed", cause, delayMs);
			return delayMs;
		}
		const sweep = setInterval(() => this.#sweep(), SWEEP_MS);
		const cause = await ended;
		clearInterval(sweep);
		this.#connection = undefined;
		const isStable = performance.now() - onlineAt >= STABLE_AFTER_MS;
		if (isStable) this.#reconnect.reset();
		this.#subscriptions.disconnected();
		this.#session.disconnected(isStable);
		this.#blocking = undefined;
		const delayMs = this.#reconnect.next();
		this.#offline("disconnected", cause, delayMs);
		return delayMs;
	}

	#offline(code: string, cause: Error, delayMs: number): void {
		this.#setState("offline", cause);
		if (this.#closed !== undefined) return;
		this.#report("warn", code, `${cause.message}; next attempt in ${Math.round(delayMs)} ms`, cause);
	}

	#connectPacket(): ConnectPacket {
		const { clientId, cleanSession, keepAliveMs, username, password, will } = this.#options;
		return {
			type: "connect",
			clientId,
			cleanSession,
			keepAlive: Math.max(1, Math.round(keepAliveMs / 1_000)),
			username,
			password: password === undefined ? undefined : Buffer.from(password),
			will,
		};
	}

	#online({ sessionPresent }: ConnAckPacket): void {
		const { url, cleanSession, tls } = this.#options;
		this.#connects++;
		this.#slow.reset();
		this.#answered = { count: this.#session.outbound.answers, at: performance.now() };
		this.#setState("online");
		this.#report("info", "connected", `connected to ${url.href}${sessionPresent ? ", session resumed" : ""}`);
		if (!sessionPresent && !cleanSession && this.#connects > 1) {
			this.#report(
				"error",
				"session-lost",
				`${url.href}: the broker no longer has our session; what it had queued for us is gone`,
			);
		}
		if (tls?.insecureSkipVerify) {
			this.#report(
				"warn",
				"tls-not-verified",
				`${url.href}: the broker's certificate was not verified (insecureSkipVerify)`,
			);
		}
	}

	#subscribed(problems: readonly SubscriptionProblem[]): void {
		if (problems.length === 0) {
			const filters = this.#options.subscriptions.map(({ filter }) => filter).join(", ");
			this.#report("info", "subscribed", `subscribed to ${filters}`);
		}
		for (const problem of problems) {
			this.#report(
				problem.blocking ? "error" : "warn",
				problem.granted === 0x80 ? "subscription-refused" : "subscription-downgraded",
				subscriptionText(problem),
			);
		}
	}

	#sweep(): void {
		const now = performance.now();
		const { inbound, outbound } = this.#session;
		this.#connection?.sweep(now);
		const blocking = this.#options.ackOrder === "strict" ? undefined : inbound.blocking;
		if (blocking !== this.#blocking?.delivery) {
			this.#blocking = blocking && { delivery: blocking, since: now };
		} else if (blocking !== undefined && now - this.#blocking!.since >= BLOCKING_AT_MOST_MS) {
			this.#blocking = undefined;
			blocking.passOver();
		}
		if (outbound.answers !== this.#answered.count || !outbound.isFull) {
			this.#answered = { count: outbound.answers, at: now };
		}
		if (inbound.wantsResume && now - this.#lastResume >= RESUME_EVERY_MS) {
			this.#lastResume = now;
			this.#connection?.fail("local", "resumed to fetch the messages that were passed by while the buffer was full");
		} else if (now - this.#answered.at >= UNANSWERED_AT_MOST_MS) {
			this.#connection?.fail(
				"dead",
				`too many publishes are pending and the broker acknowledged none for ${UNANSWERED_AT_MOST_MS / 1_000} s`,
			);
		}
	}

	#setState(state: ClientState, cause?: Error): void {
		if (this.#state === "closed") return;
		this.#state = state;
		this.#since = performance.now();
		if (state === "online") this.#cause = undefined;
		else if (cause !== undefined) this.#cause = cause;
		for (const listener of [...this.#stateListeners]) listener(state, cause);
	}

	#report(level: Report["level"], code: string, message: string, error?: Error): void {
		this.#options.onReport?.({ level, code, message, ...(error && { error }) });
	}
}

/** In words, for readiness and logs. */
export function subscriptionText({ filter, granted, asked }: SubscriptionProblem): string {
	return granted === 0x80
		? `the broker refused the subscription to ${JSON.stringify(filter)}`
		: `the broker granted QoS ${granted} for ${JSON.stringify(filter)} where QoS ${asked} was asked${granted === 0 ? ": deliveries come without a guarantee" : ""}`;
}
