import type { ComponentStatus } from "../runtime/runtime.js";

/** How the sidecar reaches its app, as the metadata API shows it. */
export interface AppConnection {
	readonly port: number;
	/** `http`. */
	readonly protocol: string;
	/** Host without port. */
	readonly channelAddress: string;
	/** Absent: no bound. */
	readonly maxConcurrency?: number | undefined;
	/** Absent: the app's health is not asked for. */
	readonly health?:
		| {
				readonly path: string;
				readonly intervalMs: number;
				readonly timeoutMs: number;
				readonly threshold: number;
		  }
		| undefined;
}

/** Dapr's answer to `GET /v1.0/metadata`; members that would be empty are absent. */
export interface MetadataDocument {
	readonly id: string;
	readonly runtimeVersion: string;
	readonly components?: readonly ComponentStatus[];
	readonly extended: Readonly<Record<string, string>>;
	readonly appConnectionProperties?: {
		readonly port: number;
		readonly protocol: string;
		readonly channelAddress: string;
		readonly maxConcurrency?: number;
		readonly health?: {
			readonly healthCheckPath: string;
			readonly healthProbeInterval: string;
			readonly healthProbeTimeout: string;
			readonly healthThreshold: number;
		};
	};
	readonly actorRuntime: { readonly runtimeStatus: "DISABLED"; readonly hostReady: false };
}

/** Puts the metadata document together. */
export function describeSidecar(from: {
	readonly appId: string;
	readonly runtimeVersion: string;
	readonly app: AppConnection | undefined;
	readonly components: readonly ComponentStatus[];
	readonly extended: ReadonlyMap<string, string>;
}): MetadataDocument {
	const { app, components } = from;
	return {
		id: from.appId,
		runtimeVersion: from.runtimeVersion,
		...(components.length > 0 && {
			components: components.map(({ name, type, version, capabilities }) => ({ name, type, version, capabilities })),
		}),
		// Object.fromEntries defines members: a key `__proto__` would stay a key.
		extended: Object.fromEntries([["daprRuntimeVersion", from.runtimeVersion], ...from.extended]),
		...(app && { appConnectionProperties: describeApp(app) }),
		actorRuntime: { runtimeStatus: "DISABLED", hostReady: false },
	};
}

function describeApp(app: AppConnection): NonNullable<MetadataDocument["appConnectionProperties"]> {
	const { port, protocol, channelAddress, maxConcurrency, health } = app;
	return {
		port,
		protocol,
		channelAddress,
		...(maxConcurrency !== undefined && { maxConcurrency }),
		...(health && {
			health: {
				healthCheckPath: health.path,
				healthProbeInterval: goDuration(health.intervalMs),
				healthProbeTimeout: goDuration(health.timeoutMs),
				healthThreshold: health.threshold,
			},
		}),
	};
}

/** A duration as Go prints it: `5s`, `500ms`, `1m30s`, `1h0m0s`. Whole milliseconds. */
export function goDuration(ms: number): string {
	if (ms < 1_000) return ms === 0 ? "0s" : `${ms}ms`;
	const minutes = Math.floor(ms / 60_000);
	const seconds = `${(ms % 60_000) / 1_000}s`;
	if (minutes === 0) return seconds;
	if (minutes < 60) return `${minutes}m${seconds}`;
	return `${Math.floor(minutes / 60)}h${minutes % 60}m${seconds}`;
}
