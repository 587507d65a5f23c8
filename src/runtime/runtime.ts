import type { HealthReason, InvokeRequest, InvokeResponse, Report } from "../bindings/binding.js";
import type { AppChannel } from "./app-channel.js";
import type { ComponentRegistry } from "./registry.js";

/** A component in scope whose secrets, environment references and placeholders are resolved. */
export interface ResolvedComponent {
	readonly name: string;
	/** As written, `bindings.mqtt3`. */
	readonly type: string;
	readonly version: string;
	readonly properties: Readonly<Record<string, string>>;
	/** `file:line` of each property, by the name as written. */
	readonly sources: Readonly<Record<string, string>>;
	/** `file:line` of the document. */
	readonly source: string;
	readonly ignoreErrors: boolean;
}

export interface RuntimeOptions {
	readonly appId: string;
	readonly components: readonly ResolvedComponent[];
	readonly registry: ComponentRegistry;
	/** Absent: no app, output bindings only. */
	readonly appChannel?: AppChannel | undefined;
	/** How long drain() waits for handlers that run; 0: without end. */
	readonly gracePeriodMs: number;
	/** Everything that happens below, for logs and metrics. */
	readonly onReport?: (component: string | undefined, report: Report) => void;
}

/** What the runtime knows of one component, in the words of Dapr's metadata API. */
export interface ComponentStatus {
	readonly name: string;
	readonly type: string;
	readonly version: string;
	/** `INPUT_BINDING`, `OUTPUT_BINDING`. */
	readonly capabilities: readonly string[];
}

export interface RuntimeHealth {
	/** No reason blocks. */
	readonly ready: boolean;
	/** Components are loaded and connecting: Dapr's outbound health. */
	readonly outboundReady: boolean;
	/** The app's port is open and every input was asked about, or there is no app: Dapr's `/healthz`. */
	readonly started: boolean;
	readonly reasons: readonly (HealthReason & { readonly component?: string })[];
}

/** The host: components on one side, the app on the other. */
export interface Runtime {
	/** Init of every component. Rejects with one ConfigurationError per wrong component in an AggregateError, after all were tried; nothing stays open then. */
	init(): Promise<void>;
	/** Connects the components and looks for the app, in the background. Returns at once. */
	start(): void;
	/** Rejects with NotFoundError, ConfigurationError or PublishError. */
	invokeBinding(name: string, request: InvokeRequest, signal?: AbortSignal): Promise<InvokeResponse | undefined>;
	readonly components: readonly ComponentStatus[];
	health(): RuntimeHealth;
	/** First half of a graceful stop: hand nothing more over, wait for handlers up to the grace period. invokeBinding still works. False when handlers were left running. */
	drain(): Promise<boolean>;
	/** Second half: acknowledge, disconnect, close the channel. Idempotent. */
	close(): Promise<void>;
}
