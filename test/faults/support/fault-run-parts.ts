import type { ComponentFields } from "../../integration/sidecar/component.js";
import { type AppProcess, type AppScript, startApp } from "../../support/app-process.js";
import { type Mosquitto, type MosquittoOptions, startMosquitto } from "../../support/mosquitto.js";
import type { SidecarOptions } from "../../support/sidecar-process.js";
import { type FaultProxy, startFaultProxy } from "./fault-proxy.js";
import type { FaultRun } from "./fault-run.js";
import { NumberedPublisher } from "./numbered-publisher.js";
import { seededRandom } from "./seeded-random.js";

/** What differs from mosquitto with its data kept, an app that accepts all within 20 ms, and a component that reads `in/#`. */
export interface FaultRunOptions {
	/** Replays the schedule of a run. */
	readonly seed: number;
	readonly broker?: MosquittoOptions;
	readonly app?: AppScript;
	/** Of the component; `ackOrder` and `ordering` tell the checker as well. */
	readonly fields?: ComponentFields;
	readonly sidecar?: Omit<SidecarOptions, "components" | "appPort" | "httpPort">;
	/** Topics below `in/` that the publisher uses in turn; default 4. */
	readonly topics?: number;
	/** Bytes behind each message's number; default 0. */
	readonly paddingBytes?: number;
	/** Called before the sidecar starts, for what must fire at its first packets. */
	readonly before?: (run: FaultRun) => void;
	/** Default true: resolves once the sidecar is ready. */
	readonly untilReady?: boolean;
}

/** What a run consists of beside the sidecar. */
export interface FaultRunParts {
	readonly broker: Mosquitto;
	readonly app: AppProcess;
	readonly proxy: FaultProxy;
	readonly appProxy: FaultProxy;
	readonly publisher: NumberedPublisher;
	/** To be disposed, last started first. */
	readonly started: AsyncDisposable[];
}

/** Starts broker, app, proxies and publisher. */
export async function startFaultRunParts(options: FaultRunOptions): Promise<FaultRunParts> {
	const parts: AsyncDisposable[] = [];
	const started = <Part extends AsyncDisposable>(part: Part): Part => {
		parts.unshift(part);
		return part;
	};
	const { seed, topics = 4, paddingBytes = 0 } = options;
	// The schedule has numbers of its own: how many the proxies take depends on the traffic.
	const random = seededRandom(seed + 1);
	try {
		const broker = started(await startMosquitto({ persistence: true, autosaveInterval: 1, ...options.broker }));
		const app = started(await startApp({ delayMs: [0, 20], ...options.app }));
		return {
			broker,
			app,
			proxy: started(await startFaultProxy(broker.port, { random })),
			appProxy: started(await startFaultProxy(app.port, { random, mqtt: false })),
			publisher: started(await NumberedPublisher.connect(broker.url, topics, paddingBytes)),
			started: parts,
		};
	} catch (error) {
		await disposeAll(parts);
		throw error;
	}
}

/** One after the other. */
export async function disposeAll(parts: readonly AsyncDisposable[]): Promise<void> {
	for (const part of parts) await part[Symbol.asyncDispose]();
}
