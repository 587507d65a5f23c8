import type {
	BindingStatistics,
	Cancellation,
	HealthReason,
	InvokeRequest,
	InvokeResponse,
	Report,
} from "../bindings/binding.js";
import { NotFoundError, PublishError, StateError } from "../errors.js";
import { NO_RESILIENCY, Resiliency, type ResiliencySettings } from "../resiliency/resiliency.js";
import type { AppChannel } from "./app-channel.js";
import { AppInputs } from "./app-inputs.js";
import type { AppState, HealthCheck } from "./app-watch.js";
import { guardedInvoke } from "./guarded-invoke.js";
import { initBindings } from "./init-bindings.js";
import type { LoadedBinding } from "./loaded-binding.js";
import type { Registry } from "./registry.js";
import { type ReloadResult, reload } from "./reload.js";

/** A component in scope whose secrets, environment references and placeholders are resolved. */
export interface ResolvedComponent {
	readonly name: string;
	/** As written, `bindings.mqtt3`. */
	readonly type: string;
	readonly version: string;
	readonly properties: Readonly<Record<string, string>>;
	/** `file:line` of each property, by the name as written. */
	readonly sources: Readonly<Record<string, string>>;
	/** The properties whose value held `{uuid}`, by the name as written: they differ at each start. */
	readonly templated?: readonly string[];
	/** A digest of each file that a value names (`file:PATH`), by its path. */
	readonly files?: Readonly<Record<string, string>>;
	/** Some of its properties come from a secret store. */
	readonly hasSecrets?: boolean;
	/** `file:line` of the document. */
	readonly source: string;
	readonly ignoreErrors: boolean;
}

export interface RuntimeOptions {
	readonly components: readonly ResolvedComponent[];
	readonly registry: Registry;
	/** Absent: no app, output bindings only. */
	readonly appChannel?: AppChannel | undefined;
	/** Absent: the app is not asked whether it is well. */
	readonly appHealth?: HealthCheck | undefined;
	/** How long drain() waits for handlers that run; 0: without end. */
	readonly gracePeriodMs: number;
	/** Everything that happens below, for logs and metrics. */
	readonly onReport?: (component: string | undefined, report: Report) => void;
	/** Absent: no policy stands around any call. */
	readonly resiliency?: ResiliencySettings | undefined;
	/** Gets the figures of every call. */
	readonly meter?: CallMeter | undefined;
}

/** Counts calls. On the way of every message: must be quick and must not throw. Only names of loaded components and their operations come here. */
export interface CallMeter {
	/** The app has accepted or refused an event. Times in milliseconds. */
	delivered(component: string, elapsedMs: number, accepted: boolean): void;
	/** An output binding has done its work, or has not. */
	invoked(component: string, operation: string, elapsedMs: number, succeeded: boolean): void;
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
	/** The app's port was found open and, without a health check, every input was asked about; or there is no app: Dapr's `/healthz`. */
	readonly started: boolean;
	readonly reasons: readonly (HealthReason & { readonly component?: string })[];
}

/** The host: components on one side, the app on the other. */
export class Runtime {
	readonly #options: RuntimeOptions;
	#resiliency: Resiliency;
	#bindings = new Map<string, LoadedBinding>();
	#app: AppInputs | undefined;
	#phase: "new" | "initialised" | "running" | "draining" | "closed" = "new";
	readonly #grace = new AbortController();
	/** Reloads run one after the other. */
	#reloading: Promise<unknown> = Promise.resolve();
	/** Why components run as they were before a change, in words; undefined: all are as they should be. */
	#outdated: string | undefined;
	#drained: Promise<boolean> | undefined;
	#closed: Promise<void> | undefined;

	constructor(options: RuntimeOptions) {
		this.#options = options;
		this.#resiliency = new Resiliency(options.resiliency ?? NO_RESILIENCY);
	}

	/** Init of every component. Rejects with one ConfigurationError per problem in an AggregateError, after all were tried; nothing stays open then. */
	async init(): Promise<void> {
		if (this.#phase !== "new") throw new StateError("the runtime was initialised before");
		this.#bindings = new Map(await initBindings(this.#options.components, this.#options));
		this.#phase = "initialised";
	}

	/** Connects the components and looks for the app, in the background. Returns at once. Throws StateError before init() and when called again. */
	start(): void {
		if (this.#phase !== "initialised") throw new StateError(`the runtime can't be started: it is ${this.#phase}`);
		this.#phase = "running";
		for (const { binding } of this.#bindings.values()) binding.start();
		const { appChannel: channel, appHealth: health, onReport = () => {}, meter } = this.#options;
		if (channel === undefined) return;
		const inputs = this.#loaded
			.filter(({ binding }) => binding.reads !== "never")
			.map(({ component, binding }) => ({ name: component.name, binding }));
		this.#app = new AppInputs({
			channel,
			inputs,
			health,
			onReport,
			meter,
			policyFor: (component) => this.#resiliency.policyFor(component, "inbound"),
			invoke: (name, request, signal) => this.invokeBinding(name, request, signal),
		});
		this.#app.start();
	}

	/**
	 * Runs these components from now on: what has changed is exchanged while messages flow, the rest is not touched, and what can't be used
	 * leaves the old one running. Components that are not among them end where `removes` says so. Resolves when all of it is done; rejects with StateError before start() and when the runtime stops.
	 */
	reload(components: readonly ResolvedComponent[], removes: (name: string) => boolean): Promise<ReloadResult> {
		const done = this.#reloading.then(() => {
			if (this.#phase !== "running") throw new StateError(`nothing can be reloaded: the runtime is ${this.#phase}`);
			return reload(components, removes, {
				options: this.#options,
				bindings: this.#bindings,
				app: this.#app,
				ending: this.#grace.signal,
				isRunning: () => this.#phase === "running",
			});
		});
		this.#reloading = done.catch(() => {});
		return done;
	}

	/** Policies that hold from now on; breakers begin anew. */
	set resiliency(settings: ResiliencySettings) {
		this.#resiliency = new Resiliency(settings);
	}

	/** Sets what readiness says of changes that could not be taken up; undefined: nothing. */
	set outdated(why: string | undefined) {
		this.#outdated = why;
	}

	get #loaded(): readonly LoadedBinding[] {
		return [...this.#bindings.values()];
	}

	/** Rejects with NotFoundError, ConfigurationError, PublishError, or StateError once close() was called. */
	async invokeBinding(
		name: string,
		request: InvokeRequest,
		signal?: Cancellation,
	): Promise<InvokeResponse | undefined> {
		if (this.#phase === "closed") throw new StateError(`output binding "${name}" was closed`);
		const { operation } = request;
		if (operation === "") {
			throw new NotFoundError("operation field is missing from request", { kind: "operation", missing: operation });
		}
		const loaded = this.#bindings.get(name);
		if (loaded?.binding.writes !== true) {
			throw new NotFoundError(`couldn't find output binding ${name}`, { kind: "binding", missing: name });
		}
		const { operations } = loaded.binding;
		if (!operations.includes(operation)) {
			const known = operations.join(" ");
			throw new NotFoundError(
				`binding ${name} does not support operation ${operation}. supported operations:${known}`,
				{
					kind: "operation",
					missing: operation,
				},
			);
		}
		const { meter } = this.#options;
		if (meter === undefined) return this.#guarded(loaded, request, signal);
		const startedAt = performance.now();
		let succeeded = false;
		try {
			const response = await this.#guarded(loaded, request, signal);
			succeeded = true;
			return response;
		} finally {
			meter.invoked(name, operation, performance.now() - startedAt, succeeded);
		}
	}

	#guarded(loaded: LoadedBinding, request: InvokeRequest, signal?: Cancellation) {
		const { name } = loaded.component;
		const policy = this.#resiliency.policyFor(name, "outbound");
		if (policy === undefined) return this.#invoke(loaded, request, signal);
		const invoke = (attempt: InvokeRequest) => this.#invoke(this.#bindings.get(name) ?? loaded, attempt, signal);
		return guardedInvoke({ policy, request, signal, ending: this.#grace.signal, invoke });
	}

	/** What the old one had not sent when it was exchanged, the new one sends. */
	async #invoke(
		loaded: LoadedBinding,
		request: InvokeRequest,
		signal?: Cancellation,
	): Promise<InvokeResponse | undefined> {
		try {
			return await loaded.invoke(request, signal);
		} catch (error) {
			const successor = this.#bindings.get(loaded.component.name);
			const isUnsent = error instanceof PublishError && error.outcome === "not-sent";
			if (!isUnsent || successor === undefined || successor === loaded || signal?.aborted) throw error;
			return await successor.invoke(request, signal);
		}
	}

	/** The figures of every component. For a scrape, not for every message. */
	statistics(): readonly { readonly component: string; readonly statistics: BindingStatistics }[] {
		return this.#loaded.map(({ component, binding }) => ({
			component: component.name,
			statistics: binding.statistics(),
		}));
	}

	/** Whether the app takes events; undefined without an app, and before start(). */
	get appState(): AppState | undefined {
		return this.#app?.state;
	}

	/** Those that run, as they were resolved; holds the secrets. */
	get resolved(): readonly ResolvedComponent[] {
		return this.#loaded.map(({ component }) => component);
	}

	/** Those that passed init. */
	get components(): readonly ComponentStatus[] {
		return this.#loaded.map(({ component: { name, type, version }, binding }) => {
			const capabilities = [];
			if (binding.reads !== "never") capabilities.push("INPUT_BINDING");
			if (binding.writes) capabilities.push("OUTPUT_BINDING");
			return { name, type, version, capabilities };
		});
	}

	/** How things are now. Cheap. */
	health(): RuntimeHealth {
		const reasons = [...this.#ownReasons(), ...(this.#app?.reasons() ?? []), ...this.#componentReasons()];
		const outboundReady = this.#phase === "running" || this.#phase === "draining";
		return {
			ready: !reasons.some((reason) => reason.blocking),
			outboundReady,
			started: this.#app?.started ?? outboundReady,
			reasons,
		};
	}

	*#ownReasons(): Iterable<RuntimeHealth["reasons"][number]> {
		if (this.#phase === "new" || this.#phase === "initialised") {
			yield { code: "not-started", message: "the components are not started yet", blocking: true };
		} else if (this.#phase !== "running") {
			yield { code: "stopping", message: "the process is stopping", blocking: true };
		}
		if (this.#outdated !== undefined) yield { code: "change-refused", message: this.#outdated, blocking: false };
	}

	*#componentReasons(): Iterable<RuntimeHealth["reasons"][number]> {
		for (const { component, binding } of this.#bindings.values()) {
			const { name } = component;
			for (const reason of binding.health()) {
				const isHindrance = reason.blocking && !(reason.code === "unread" && this.#isOutputOnly(name, binding));
				yield { ...reason, component: name, blocking: isHindrance };
			}
			yield* this.#breakerReasons(name);
			if (binding.reads === "always" && this.#options.appChannel === undefined) {
				const message = `component "${name}" is an input, but there is no app to read for, expected an app port`;
				yield { code: "no-app", message, blocking: true, component: name };
			}
		}
	}

	*#breakerReasons(component: string): Iterable<RuntimeHealth["reasons"][number]> {
		for (const { state, settings } of this.#resiliency.breakersOf(component)) {
			if (state === "closed") continue;
			const message = `circuit breaker ${JSON.stringify(settings.name)} of component "${component}" is ${state}`;
			yield { code: "circuit-breaker-open", message, blocking: false, component };
		}
	}

	/** No app will read: there is none, or it wants no events of this component. Only its way to the broker matters then. */
	#isOutputOnly(name: string, { reads }: LoadedBinding["binding"]): boolean {
		return reads === "ask" && (this.#options.appChannel === undefined || this.#app?.declines(name) === true);
	}

	/** Resolves when the app's port is closed or the app is unhealthy, at once if it is so, and when close() is called. Never without an app. */
	untilAppGone(): Promise<void> {
		return this.#app?.untilGone() ?? new Promise(() => {});
	}

	/**
	 * First half of a graceful stop: hand nothing more over, wait for handlers up to the grace period. invokeBinding still works.
	 * Resolves false when handlers were left running. Never rejects.
	 */
	drain(): Promise<boolean> {
		this.#drained ??= this.#drain();
		return this.#drained;
	}

	async #drain(): Promise<boolean> {
		if (this.#phase !== "closed") this.#phase = "draining";
		this.#app?.stop();
		const { gracePeriodMs } = this.#options;
		const timer = gracePeriodMs > 0 ? setTimeout(() => this.#grace.abort(), gracePeriodMs) : undefined;
		const results = await Promise.allSettled(this.#loaded.map(({ binding }) => binding.drain(this.#grace.signal)));
		clearTimeout(timer);
		this.#reportRejected(results, "drain-failed");
		return results.every((result) => result.status === "fulfilled" && result.value);
	}

	/** Second half: acknowledge, disconnect, close the channel. Idempotent. Never rejects. */
	close(): Promise<void> {
		this.#closed ??= this.#close();
		return this.#closed;
	}

	async #close(): Promise<void> {
		this.#phase = "closed";
		this.#app?.close();
		this.#grace.abort();
		await this.#reloading;
		this.#reportRejected(await Promise.allSettled(this.#loaded.map(({ binding }) => binding.close())), "close-failed");
		this.#reportRejected(await Promise.allSettled([this.#options.appChannel?.close()]), "close-failed");
	}

	#reportRejected(results: readonly PromiseSettledResult<unknown>[], code: string): void {
		for (const result of results) {
			if (result.status === "fulfilled") continue;
			const reason: unknown = result.reason;
			const error = reason instanceof Error ? reason : new Error(String(reason));
			this.#options.onReport?.(undefined, { level: "error", code, message: `stopping: ${error.message}`, error });
		}
	}
}
