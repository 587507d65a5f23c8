import { type MqttConnectionError, StateError } from "../errors.js";
import { BrokerConnection } from "./broker-connection.js";
import { BrokerHabits, isByBroker } from "./broker-habits.js";
import { BrokerList } from "./broker-list.js";
import type { BrokerUrl } from "./broker-url.js";
import type { MqttClientOptions, PublishOptions } from "./client-options.js";
import { type ClientState, type ClientStatus, subscriptionText, takeoverText } from "./client-status.js";
import { dial } from "./connection.js";
import { ConnectionWatch } from "./connection-watch.js";
import type { Delivery } from "./delivery.js";
import type { InboundCounters } from "./inbound.js";
import { lossCause } from "./loss-cause.js";
import type { ApplicationMessage, ConnAckPacket, ConnectPacket } from "./packet.js";
import { Publisher } from "./publisher.js";
import { type ReconnectListener, ReconnectLoop } from "./reconnect-loop.js";
import type { Report } from "./report.js";
import { MqttSession } from "./session.js";
import { type SubscriptionProblem, Subscriptions } from "./subscriptions.js";
import { WindowEstimate } from "./window-estimate.js";

export type { MqttClientOptions, PublishOptions } from "./client-options.js";

/** How long close() waits for the answer to its UNSUBSCRIBE. */
const LEAVE_AT_MOST_MS = 2_000;

/** Connection, session and reconnecting: an MQTT 3.1.1 client that acknowledges only what its listener accepted. */
export class MqttClient {
	readonly #options: MqttClientOptions;
	readonly #session: MqttSession;
	readonly #subscriptions: Subscriptions;
	readonly #publisher: Publisher;
	readonly #loop: ReconnectLoop;
	readonly #watch: ConnectionWatch;
	readonly #brokers: BrokerList;
	/** The broker whose session we have; undefined before the first connection. */
	#sessionAt: BrokerUrl | undefined;
	/** Brokers that had a session of ours. */
	readonly #knownAt = new Set<BrokerUrl>();
	readonly #habits = new BrokerHabits();
	readonly #stateListeners = new Set<(state: ClientState, cause?: Error) => void>();
	#connection: BrokerConnection | undefined;
	#state: ClientState = "offline";
	#since = performance.now();
	#cause: Error | undefined;
	#connects = 0;
	readonly #losses: Record<string, number> = {};
	#sessionsLost = 0;
	#lastArrival = 0;
	readonly #window = new WindowEstimate();
	#closed: Promise<void> | undefined;

	constructor(options: MqttClientOptions) {
		this.#options = options;
		const { listener, url } = options;
		this.#brokers = new BrokerList(Array.isArray(url) ? url : [url as BrokerUrl]);
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
					delivery.arrivedAt = this.#lastArrival;
					this.#window.arrived(this.#lastArrival);
					listener?.delivered(delivery);
				},
				adopted: (delivery) => listener?.adopted(delivery),
				orphaned: () => listener?.orphaned(),
				died: (delivery) => listener?.died(delivery),
				passedOver: (delivery) => listener?.passedOver?.(delivery),
			},
		);
		this.#session.inbound.onAcknowledged = (outstanding, overtook) => {
			const now = performance.now();
			this.#window.acknowledged(outstanding, now);
			if (overtook) this.#habits.overtook(now);
		};
		this.#session.onOutput = () => this.#connection?.schedule();
		this.#subscriptions = new Subscriptions(options.subscriptions, options.unsubscribe);
		this.#publisher = new Publisher(this.#session.outbound, {
			timeoutMs: options.publishTimeoutMs,
			onEnqueued: () => this.#connection?.schedule(),
			offlineReason: () => this.#offlineReason(),
		});
		this.#watch = new ConnectionWatch(this.#session, (now) => this.#sweep(now));
		const habits = this.#habits;
		this.#loop = new ReconnectLoop({
			connecting: (connection) => this.#connecting(connection),
			online: (connection, connAck) => this.#online(connection, connAck),
			disconnected: (isStable, cause) => this.#disconnected(isStable, cause),
			offline: (why, cause, delayMs) => this.#offline(why, cause, delayMs),
			get isTakenOver() {
				return habits.isTakenOver;
			},
		});
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
		const { inbound, outbound, unexpected } = this.#session;
		return {
			state: this.#state,
			since: this.#since,
			url: this.#brokers.present,
			cause: this.#cause,
			connects: this.#connects,
			losses: this.#losses,
			sessionsLost: this.#sessionsLost,
			orphans: inbound.orphans,
			subscribing: this.#subscriptions.isRequested,
			subscribed: this.#subscriptions.isComplete,
			problems: this.#subscriptions.problems(),
			clientId: this.#options.clientId,
			takenOver: this.#habits.isTakenOver,
			strict: inbound.isStrict,
			insistsOnOrder: inbound.isStrict && this.#options.ackOrder !== "strict",
			outstanding: inbound.outstanding,
			buffered: inbound.buffered,
			pending: outbound.pending,
			unexpectedAnswers: unexpected,
			lateAnswers: outbound.late,
			window: this.#window.window,
			lastArrival: this.#lastArrival,
		};
	}

	/**
	 * Begins to connect, and from then on reconnects by itself until closed. Resolves on the first accepted CONNACK, never for want of
	 * a broker; rejects when `signal` aborts (the attempts go on) or the client is closed.
	 */
	connect(signal?: AbortSignal): Promise<void> {
		if (this.#closed !== undefined) return Promise.reject(new StateError("the client is closed"));
		this.#loop.start();
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
	publish(message: ApplicationMessage, options: PublishOptions = {}): Promise<void> {
		return this.#publisher.publish(message, options);
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

	async #close(): Promise<void> {
		const { inbound } = this.#session;
		inbound.drain();
		for (const delivery of [...inbound.unacknowledged()]) delivery.passOver();
		this.#publisher.close();
		if (this.#options.unsubscribeOnClose) await this.#connection?.leave(LEAVE_AT_MOST_MS);
		await this.#connection?.disconnect("closed by us");
		this.#setState("closed");
		await this.#loop.stop();
	}

	#connecting(listener: Parameters<ReconnectListener["connecting"]>[0]): BrokerConnection {
		const { tls, connectTimeoutMs } = this.#options;
		const url = this.#brokers.next();
		this.#setState("connecting");
		return new BrokerConnection({
			dial: this.#options.dial ?? dial,
			url,
			tls,
			isOtherBroker: this.#sessionAt !== undefined && this.#sessionAt !== url,
			connectTimeoutMs,
			connect: this.#connectPacket(url),
			session: this.#session,
			subscriptions: this.#subscriptions,
			listener: { ...listener, subscribed: (problems) => this.#subscribed(problems) },
		});
	}

	#connectPacket(url: BrokerUrl): ConnectPacket {
		const { clientId, cleanSession, keepAliveMs, will } = this.#options;
		const { username = this.#options.username, password = this.#options.password } = url;
		return {
			type: "connect",
			// [MQTT-3.1.3-2] It names the session, so each connection gives the same.
			clientId,
			cleanSession,
			keepAlive: Math.max(1, Math.round(keepAliveMs / 1_000)),
			username,
			password: password === undefined ? undefined : Buffer.from(password),
			will,
		};
	}

	#online(connection: BrokerConnection, { sessionPresent }: ConnAckPacket): void {
		const url = this.#brokers.present;
		this.#connection = connection;
		this.#connects++;
		this.#brokers.accepted();
		this.#watch.start(connection);
		this.#setState("online");
		this.#report("info", "connected", `connected to ${url.href}${sessionPresent ? ", session resumed" : ""}`);
		if (this.#habits.accepted(performance.now())) {
			this.#report("error", "taken-over", takeoverText(this.#options.clientId, url.href));
		}
		if (this.#sessionAt !== undefined && this.#sessionAt !== url) {
			this.#report(
				"warn",
				"other-broker",
				`${url.href} in place of ${this.#sessionAt.href}: what that one has queued for us waits there`,
			);
		}
		this.#sessionAt = url;
		const wasKnown = this.#knownAt.has(url);
		this.#knownAt.add(url);
		if (!sessionPresent && wasKnown && !this.#options.cleanSession) {
			this.#sessionsLost++;
			this.#report(
				"error",
				"session-lost",
				`${url.href}: the broker no longer has our session; what it had queued for us is gone`,
			);
		}
		if (connection.isUnverified) {
			this.#report(
				"warn",
				"tls-not-verified",
				`${url.href}: the broker's certificate was not verified (insecureSkipVerify)`,
			);
		}
	}

	#disconnected(isStable: boolean, cause: MqttConnectionError): void {
		const unfinished = {
			publish: this.#session.outbound.pending > 0,
			subscription: this.#subscriptions.pendingSince !== undefined,
		};
		const insistsOnOrder = this.#habits.ended(cause, unfinished, performance.now());
		this.#connection = undefined;
		this.#watch.stop();
		this.#subscriptions.disconnected();
		this.#session.disconnected(isStable, isByBroker(cause));
		if (insistsOnOrder && !this.#session.inbound.isStrict) this.#becomeStrict();
	}

	#becomeStrict(): void {
		this.#session.inbound.becomeStrict();
		this.#report(
			"warn",
			"strict-order",
			`${this.#brokers.present.href} ends the connection when an acknowledgement overtakes another: from here on they leave strictly in the order of arrival, as with ackOrder: strict; a refused message then stops those behind it`,
		);
	}

	#sweep(now: number): void {
		if (!this.#habits.look(now)) return;
		this.#report("info", "taken-over-no-more", "no other client has taken the connection for a minute");
	}

	#offline(code: string, cause: Error, delayMs: number): void {
		this.#setState("offline", cause);
		if (this.#closed !== undefined) return;
		if (code !== "disconnected") this.#habits.failed();
		const lost = lossCause(cause);
		this.#losses[lost] = (this.#losses[lost] ?? 0) + 1;
		this.#report("warn", code, `${cause.message}; next attempt in ${Math.round(delayMs)} ms`, cause);
	}

	#offlineReason(): string | undefined {
		if (this.#state === "online") return undefined;
		return `not connected to ${this.#brokers.present.href}${this.#cause === undefined ? "" : ` (${this.#cause.message})`}`;
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
