/**
 * Every error class of the project. Match on `code`, which is stable; read `cause` for the origin.
 * Messages say what failed, on what, with which value; never a secret.
 */

/** The stable codes, one per class. */
export type ErrorCode =
	| "ERR_CONFIGURATION"
	| "ERR_SECRET"
	| "ERR_STATE"
	| "ERR_MQTT_PROTOCOL"
	| "ERR_MQTT_REFUSED"
	| "ERR_MQTT_CONNECTION"
	| "ERR_TIMEOUT"
	| "ERR_NOT_FOUND"
	| "ERR_APP"
	| "ERR_PUBLISH";

/** Base of all errors that this package throws on purpose. A bug is an assertion failure, never one of these. */
export abstract class BindingError extends Error {
	abstract readonly code: ErrorCode;
	override get name(): string {
		return this.constructor.name;
	}
}

/** A component, a flag or an option is wrong; nothing was connected. */
export class ConfigurationError extends BindingError {
	readonly code = "ERR_CONFIGURATION";
	/** The component's name, where one is concerned. */
	readonly component: string | undefined;
	/** The field, flag or property at fault. */
	readonly property: string | undefined;
	constructor(
		message: string,
		options: ErrorOptions & { readonly component?: string | undefined; readonly property?: string | undefined } = {},
	) {
		super(message, options);
		this.component = options.component;
		this.property = options.property;
	}
}

/** A secret could not be had. Holds names only, never a value. */
export class SecretError extends BindingError {
	readonly code = "ERR_SECRET";
	/** The secret store's component name. */
	readonly store: string;
	/** The key that was asked for, where it got that far. */
	readonly key: string | undefined;
	/** The store could not be asked: it may be had later. */
	readonly isTransient: boolean;
	constructor(
		message: string,
		options: ErrorOptions & {
			readonly store: string;
			readonly key?: string | undefined;
			readonly isTransient?: boolean;
		},
	) {
		super(message, options);
		this.store = options.store;
		this.key = options.key;
		this.isTransient = options.isTransient ?? false;
	}
}

/** The call does not fit the object's state: use after close, a second read. */
export class StateError extends BindingError {
	readonly code = "ERR_STATE";
}

/** The peer or the caller broke MQTT 3.1.1. */
export class MqttProtocolError extends BindingError {
	readonly code = "ERR_MQTT_PROTOCOL";
	/** The violated statement or section, as `MQTT-2.2.2-2`, or `3.2.2.1` where the standard numbers none. */
	readonly clause: string;
	constructor(clause: string, message: string, options?: ErrorOptions) {
		super(`${message} [${clause}]`, options);
		this.clause = clause;
	}
}

/** The broker answered CONNECT with a return code other than 0. */
export class MqttRefusedError extends BindingError {
	readonly code = "ERR_MQTT_REFUSED";
	/** CONNACK return code, 1 to 5. */
	readonly returnCode: number;
	constructor(message: string, options: ErrorOptions & { readonly returnCode: number }) {
		super(message, options);
		this.returnCode = options.returnCode;
	}
}

/** A network connection to the broker could not be made or was lost. */
export class MqttConnectionError extends BindingError {
	readonly code = "ERR_MQTT_CONNECTION";
	/** The broker's URL without user name and password. */
	readonly url: string;
	/** How it ended: `refused`, `tls`, `closed` (FIN), `reset`, `dead` (no answer), `protocol`, `dns`, `timeout`, `local` (we closed it). */
	readonly reason: MqttConnectionReason;
	constructor(
		message: string,
		options: ErrorOptions & { readonly url: string; readonly reason: MqttConnectionReason },
	) {
		super(message, options);
		this.url = options.url;
		this.reason = options.reason;
	}
}

/** Why a network connection is not there, for back-off, logs and metrics. */
export type MqttConnectionReason =
	| "refused"
	| "tls"
	| "dns"
	| "timeout"
	| "closed"
	| "reset"
	| "dead"
	| "protocol"
	| "local";

/** A deadline passed. */
export class TimeoutError extends BindingError {
	readonly code = "ERR_TIMEOUT";
	/** What was waited for. */
	readonly operation: string;
	/** The deadline, in milliseconds. */
	readonly timeoutMs: number;
	constructor(message: string, options: ErrorOptions & { readonly operation: string; readonly timeoutMs: number }) {
		super(message, options);
		this.operation = options.operation;
		this.timeoutMs = options.timeoutMs;
	}
}

/** There is no binding or operation of that name. */
export class NotFoundError extends BindingError {
	readonly code = "ERR_NOT_FOUND";
	/** `binding` or `operation`. */
	readonly kind: string;
	/** The name that was asked for; `name` itself is the class. */
	readonly missing: string;
	constructor(message: string, options: ErrorOptions & { readonly kind: string; readonly missing: string }) {
		super(message, options);
		this.kind = options.kind;
		this.missing = options.missing;
	}
}

/** The app did not accept an event. */
export class AppError extends BindingError {
	readonly code = "ERR_APP";
	/** The HTTP status, where there was one. */
	readonly status: number | undefined;
	/** `failed`: an attempt that counts. `none`: no verdict. `crashed`: no verdict, the app died with the event in its hands. `unreachable`: nobody listens. */
	readonly outcome: "failed" | "none" | "crashed" | "unreachable";
	/** The delay that the app asked for with `Retry-After`, in milliseconds. */
	readonly retryAfterMs: number | undefined;
	constructor(
		message: string,
		options: ErrorOptions & {
			readonly outcome: AppError["outcome"];
			readonly status?: number | undefined;
			readonly retryAfterMs?: number | undefined;
		},
	) {
		super(message, options);
		this.outcome = options.outcome;
		this.status = options.status;
		this.retryAfterMs = options.retryAfterMs;
	}
}

/** A publish did not succeed. The message begins `not sent:` or `outcome unknown:`. */
export class PublishError extends BindingError {
	readonly code = "ERR_PUBLISH";
	/** `not-sent`: no byte of it left us. `unknown`: it left us; the broker may have it or may yet receive it. */
	readonly outcome: "not-sent" | "unknown";
	/** True when it was refused because too many publishes are pending. */
	readonly pending: boolean;
	/** True when it was given up because the broker ended its connection again and again with this publish unanswered. */
	readonly suspect: boolean;
	constructor(
		message: string,
		options: ErrorOptions & {
			readonly outcome: PublishError["outcome"];
			readonly pending?: boolean;
			readonly suspect?: boolean;
		},
	) {
		super(`${options.outcome === "not-sent" ? "not sent" : "outcome unknown"}: ${message}`, options);
		this.outcome = options.outcome;
		this.pending = options.pending ?? false;
		this.suspect = options.suspect ?? false;
	}
}
