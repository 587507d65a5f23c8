import type { Cancellation, InvokeRequest, InvokeResponse } from "../bindings/binding.js";
import type { Runtime } from "../runtime/runtime.js";
import { type AppConnection, describeSidecar, type MetadataDocument } from "./metadata-document.js";
import { checkMetadataKey } from "./request-metadata.js";
import { BodyTooLargeError, MalformedRequestError } from "./status.js";

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
/** The longest value that setExtended() keeps, in bytes. */
export const MAX_EXTENDED_BYTES = 64 * 1024;

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
	invoke(name: string, request: InvokeRequest, signal: Cancellation): Promise<InvokeResponse | undefined> {
		return this.#options.runtime.invokeBinding(name, request, signal);
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

	/** Keeps a value that describe() shows under `extended`. Throws MalformedRequestError for a key or a value that can't be kept, and for too many. */
	setExtended(key: string, value: string): void {
		if (key === "") throw new MalformedRequestError("the metadata key is empty");
		checkMetadataKey(key);
		if (Buffer.byteLength(value) > MAX_EXTENDED_BYTES) throw new BodyTooLargeError(MAX_EXTENDED_BYTES, "value");
		if (!this.#extended.has(key) && this.#extended.size >= MAX_EXTENDED_KEYS) {
			throw new MalformedRequestError("too many metadata keys");
		}
		this.#extended.set(key, value);
	}

	/** Begins to stop; returns at once. */
	shutdown(force: boolean): void {
		this.#options.onShutdown(force);
	}
}
