import type { Mqtt3Options } from "../../src/bindings/mqtt3-options.js";
import type { AppScript } from "../support/app-script.js";

/** What the app got, and what it said. */
export interface AppEvent {
	readonly topic: string;
	readonly payload: Buffer;
	readonly retained: boolean;
	readonly qos: number;
	readonly attempt: number;
	/** The media type that came with it; the library gives none. */
	readonly contentType?: string | undefined;
	/** Where it came in; the library has no such thing. */
	readonly route?: string | undefined;
	/** When, in milliseconds of one clock. */
	readonly at: number;
	/** The answer, once there was one. */
	readonly status?: number | undefined;
	readonly answeredAt?: number | undefined;
}

/** One call of `create`. */
export interface CreateCall {
	/** JSON text; default: no data at all. */
	readonly data?: string;
	readonly metadata?: Readonly<Record<string, string>>;
	/** Default `create`. */
	readonly operation?: string;
}

/** What came of it. `refused`: the request is wrong. `not there`: there is no such operation, or no output at all. */
export type CreateOutcome =
	| { readonly kind: "created" }
	| { readonly kind: "refused" | "not there" | "not sent" | "outcome unknown"; readonly message: string };

/** A binding that runs, with an app behind it. Disposing it ends it at once. */
export interface BindingUnderTest extends AsyncDisposable {
	/** What the app got, in order of arrival. */
	events(): readonly AppEvent[];
	/** From the resolution on the app answers so. */
	answer(script: AppScript): Promise<void>;
	create(call: CreateCall): Promise<CreateOutcome>;
	/** What is, or is not quite, in order. */
	reasons(): Promise<readonly { readonly code: string; readonly blocking: boolean }[]>;
	/** Stops in order. Resolves false when the app was left with something in its hands. */
	stop(): Promise<boolean>;
}

/** How a binding is started. */
export interface StartOptions {
	/** What the app does at first; default: it accepts everything. */
	readonly script?: AppScript;
	/** How long stop() waits for the app; whole seconds. */
	readonly graceMs: number;
}

/** One way to use the binding. */
export interface Face {
	readonly name: "library" | "component" | "sidecar" | "sidecar over gRPC" | "pluggable";
	/** True: data is JSON, and `encoding` applies to it. False: data is bytes. */
	readonly takesJson: boolean;
	/** The longest topic in bytes that reaches the app. */
	readonly longestTopic: number;
	/** False: a text on its way can't hold half a surrogate pair, as its encoding has none. Default true. */
	readonly takesLoneSurrogates?: boolean;
	/** The largest payload in bytes that reaches the app; default `maxPayloadSize`'s. */
	readonly largestPayload?: number;
	/** Resolves when the binding is connected and, unless it is an output only, subscribed. */
	start(options: Mqtt3Options, start: StartOptions): Promise<BindingUnderTest>;
}
