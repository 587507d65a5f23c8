import type { Cancellation } from "../mqtt/cancellation.js";
import type { Report } from "../mqtt/report.js";

export type { Cancellation, Report };

/** Dapr's metadata: names to text. */
export type Properties = Readonly<Record<string, string>>;

/** What Init gets: the component's name and its metadata after secrets and placeholders were resolved. */
export interface ComponentMetadata {
	readonly name: string;
	readonly properties: Properties;
	/** Where each property was written, `file:line`, for error messages. */
	readonly sources?: Readonly<Record<string, string>>;
	/** The properties whose value held `{uuid}` before it was resolved, by the name as written: they differ at each start. */
	readonly templated?: readonly string[];
	/** Where the component was written, `file:line`. */
	readonly source?: string;
}

/** One event on its way to the app. */
export interface ReadResponse {
	/** The message's payload, byte for byte. */
	readonly data: Uint8Array;
	/** `topic`, and where they say something `retained`, `duplicate`, `qos`, `attempt`. */
	readonly metadata: Properties;
	/** The media type that an HTTP app sees. */
	readonly contentType: string;
}

/** One call of an output binding. */
export interface InvokeRequest {
	readonly operation: string;
	readonly data: Uint8Array;
	/** Where the caller sent JSON: `data`'s own JSON text, to which `encoding` applies. */
	readonly dataIsJson?: boolean;
	readonly metadata: Properties;
	/** The caller's own deadline, in milliseconds from now; absent: as long as the binding waits. */
	readonly timeoutMs?: number | undefined;
}
export interface InvokeResponse {
	readonly data: Uint8Array;
	readonly metadata: Properties;
	readonly contentType?: string;
}

/** What became of one attempt to hand an event to the app. */
export type Verdict =
	/** The app took it: it may be acknowledged. */
	| { readonly kind: "accepted" }
	/** The app refused it or broke: an attempt that counts. `status`: of HTTP, or the name of a gRPC code. */
	| {
			readonly kind: "failed";
			readonly error: Error;
			readonly status?: number | string;
			readonly retryAfterMs?: number;
	  }
	/** The app was not asked, or its answer can't be known: not an attempt. `crashed`: the app died with the event in its hands. */
	| { readonly kind: "none"; readonly crashed?: true }
	/** Nobody is listening: not an attempt, and the intake pauses until `resume()`. */
	| { readonly kind: "unreachable" }
	/** It can't be handed over, now or ever: too large for the way to the app. Dead-lettered where that is configured, else as `onOversized` says. */
	| { readonly kind: "unfit"; readonly error: Error };

/** The one accepted verdict, so that the hot path makes no object. */
export const ACCEPTED: Verdict = Object.freeze({ kind: "accepted" });

/**
 * Hands one event to the app and says what became of it. Never rejects on purpose; a rejection counts as `failed`.
 * `signal` aborts when the binding stops waiting for handlers.
 */
export type ReadHandler = (event: ReadResponse, signal: AbortSignal) => Verdict | Promise<Verdict>;

/** One reason, in words, why a component is not, or not quite, in order. */
export interface HealthReason {
	/** Stable, kebab-case, without topics, URLs or secrets: what a caller without a token may see. */
	readonly code: string;
	/** For people: what, where, since when, what to do. Never a secret. */
	readonly message: string;
	/** False: it is worth knowing, but does not make the component not ready. */
	readonly blocking: boolean;
}

/** What all components share. */
export interface Component {
	/** Validates metadata, opens nothing. Rejects with ConfigurationError. Returns the warnings to show. */
	init(metadata: ComponentMetadata, signal?: AbortSignal): Promise<readonly string[]>;
	/** Rejects when the component cannot do its work now, with the reason. */
	ping(signal?: AbortSignal): Promise<void>;
	/** Why it is not ready; empty when all is well. Cheap: may be asked every second. */
	health(): readonly HealthReason[];
	/** Listens to what happens inside; returns the function that stops listening. */
	onReport(listener: (report: Report) => void): () => void;
	/** Idempotent. Sends what can be acknowledged, disconnects in order. Does not wait for handlers: drain() does. */
	close(): Promise<void>;
}

/** The direction broker → app. */
export interface InputBinding extends Component {
	/** True when the metadata names `direction` with `input`: the app is not asked, the binding reads at once. */
	readonly reads: "always" | "never" | "ask";
	/** The app's path or name for these events: metadata `route`, else the component's name. */
	readonly route: string;
	/** Connects if start() has not, and hands events to `handler` from now on. A second call rejects with StateError. Resolves at once. */
	read(handler: ReadHandler): Promise<void>;
	/** Hand nothing over until resume(); what waits keeps waiting, nothing is consumed. Idempotent. */
	pause(reason: string): void;
	resume(): void;
	/**
	 * Hand nothing more over, for good, and keep the connection. Resolves true when no handler runs any more,
	 * false when `signal` aborted first.
	 */
	drain(signal: AbortSignal): Promise<boolean>;
}

/** The direction app → broker. */
export interface OutputBinding extends Component {
	/** False when `direction` excludes output. */
	readonly writes: boolean;
	readonly operations: readonly string[];
	/** Rejects with NotFoundError (operation), ConfigurationError (bad request metadata) or PublishError. */
	invoke(request: InvokeRequest, signal?: Cancellation): Promise<InvokeResponse | undefined>;
}

/** One connection that a component keeps to a broker, as the broker tells it from others. */
export interface BrokerConnection {
	/** The broker's URL in normal form, without user name and password. */
	readonly broker: string;
	readonly clientId: string;
	/** The broker keeps a session with subscriptions for it when it is closed. */
	readonly keepsSession: boolean;
}

/** The figures of one connection. */
export interface ConnectionStatistics {
	/** `both`; with `splitConnections` `consumer` or `producer`. */
	readonly role: "both" | "consumer" | "producer";
	readonly isOnline: boolean;
	/** Another client uses our client identifier. */
	readonly isTakenOver: boolean;
	/** Every filter was granted with the QoS asked for; true where nothing is to be subscribed to. */
	readonly isSubscribed: boolean;
	/** CONNECTs that the broker accepted. */
	readonly connects: number;
	/** Attempts that failed and connections that ended, by cause: a few fixed words. */
	readonly losses: Readonly<Record<string, number>>;
	/** How often the broker had lost the session. */
	readonly sessionsLost: number;
	/** Publishes that wait or are unanswered. */
	readonly publishesPending: number;
	/** Publishes that the broker took over after their caller had been told that the outcome is unknown. */
	readonly lateAnswers: number;
	/** Answers of the broker to publishes that nobody made, or that were answered before. */
	readonly unexpectedAnswers: number;
}

/** What became of messages of an input so far, and where they are now. */
export interface InputStatistics {
	/** At the app. */
	readonly inFlight: number;
	/** In memory, not handed over yet. */
	readonly waiting: number;
	readonly waitingBytes: number;
	/** Un-acknowledged on the present connection, wherever they are. */
	readonly unacknowledged: number;
	readonly unacknowledgedBytes: number;
	/** How long the oldest of these has been here, in milliseconds; 0 without one. */
	readonly oldestUnacknowledgedMs: number;
	/** Refused, their retries used up, un-acknowledged. */
	readonly held: number;
	/** Too large to be read, un-acknowledged. */
	readonly heldOversized: number;
	/** Unfinished deliveries whose connection is gone. */
	readonly orphans: number;
	/** Nothing is handed over. */
	readonly isPaused: boolean;
	/** Acknowledgements leave strictly in arrival order, by configuration or because the broker insists. */
	readonly isStrict: boolean;
	/** Counters, by a few fixed words. */
	readonly dropped: Readonly<Record<string, number>>;
	/** Those that the broker has on the dead-letter topic, and those whose publish failed: held then. */
	readonly deadLettered: number;
	readonly deadLettersFailed: number;
	readonly staleAcknowledgements: number;
	readonly skipped: number;
	readonly copies: number;
	readonly adopted: number;
	readonly strays: number;
}

/** The figures of a binding, for metrics: counters since its start, and how things are now. */
export interface BindingStatistics {
	readonly connections: readonly ConnectionStatistics[];
	/** Absent where `direction` excludes input. */
	readonly input?: InputStatistics;
	/** How long each of our certificates is still valid, in days; less than 0: it has expired. Absent: there is none. */
	readonly certificateDays: { readonly client?: number; readonly ca?: number };
	/** The broker's certificate is not verified. */
	readonly isUnverified: boolean;
}

/** A component that is both, over one connection. */
export interface Binding extends InputBinding, OutputBinding {
	/** Its figures. Takes time in proportion to the messages in memory: for a scrape, not for every message. */
	statistics(): BindingStatistics;
	/** The connections it will keep: one, or one for each direction. Known once init() has resolved; empty before. */
	readonly connections: readonly BrokerConnection[];
	/** Begins to connect, app or no app. Returns at once, never rejects; health() tells. */
	start(): void;
}
