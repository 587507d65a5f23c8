import type { InvokeResponse } from "../bindings/binding.js";
import type { Runtime } from "../runtime/runtime.js";
import { type AppConnection, describeSidecar, type MetadataDocument } from "./metadata-document.js";

/** One call of a binding that came in as JSON. */
export interface BindingRequest {
	/** Empty when the caller named none. */
	readonly operation: string;
	/** JSON text; empty: no payload. */
	readonly data: Uint8Array;
	readonly metadata: Readonly<Record<string, string>>;
}

/** Whether the sidecar does its work, and why not. */
export interface Readiness {
	readonly ready: boolean;
	/** JSON; what a caller may see. */
	readonly document: unknown;
}

export interface SidecarOptions {
	readonly appId: string;
	readonly runtime: Pick<Runtime, "invokeBinding" | "components" | "health">;
	/** `x.y.z`. */
	readonly runtimeVersion: string;
	/** The app, where there is one. */
	readonly app?: AppConnection | undefined;
	/** Renders the runtime's health; `detail` false: reason codes only. */
	readonly readiness: (detail: boolean) => Readiness;
	/** Asked for by the API. `force`: at once, without draining. Called after the answer. */
	readonly onShutdown: (force: boolean) => void;
}

const MAX_EXTENDED_KEYS = 64;

/** Dapr's operations on a sidecar, whatever the caller speaks. */
export class Sidecar {
	readonly appId: string;
	readonly #options: SidecarOptions;
	readonly #extended = new Map<string, string>();

	constructor(options: SidecarOptions) {
		this.appId = options.appId;
		this.#options = options;
	}

	/** Invokes an output binding. Rejects as the runtime does. */
	invoke(name: string, request: BindingRequest, signal: AbortSignal): Promise<InvokeResponse | undefined> {
		// Member by member: a spread of this object costs more than all else here.
		const { operation, data, metadata } = request;
		return this.#options.runtime.invokeBinding(name, { operation, data, dataIsJson: true, metadata }, signal);
	}

	/** Components are loaded; callers may begin. */
	get isOutboundReady(): boolean {
		return this.#options.runtime.health().outboundReady;
	}

	/** The app was found as well, and each input was asked about. */
	get isStarted(): boolean {
		return this.#options.runtime.health().started;
	}

	/** Whether messages flow. `detail` false: codes only. */
	readiness(detail: boolean): Readiness {
		return this.#options.readiness(detail);
	}

	/** What Dapr's metadata API tells of this sidecar. */
	describe(): MetadataDocument {
		const { appId, app, runtimeVersion, runtime } = this.#options;
		return describeSidecar({ appId, app, runtimeVersion, components: runtime.components, extended: this.#extended });
	}

	/** Keeps a value that describe() shows under `extended`. False when there are too many already. */
	setExtended(key: string, value: string): boolean {
		if (!this.#extended.has(key) && this.#extended.size >= MAX_EXTENDED_KEYS) return false;
		this.#extended.set(key, value);
		return true;
	}

	/** Begins to stop; returns at once. */
	shutdown(force: boolean): void {
		this.#options.onShutdown(force);
	}
}
