import type { Report } from "../bindings/binding.js";
import type { CallMeter, Runtime } from "../runtime/runtime.js";
import { CallRecorder } from "./call-recorder.js";
import { EventLoopLag } from "./event-loop-lag.js";
import type { Snapshot } from "./metric-table.js";
import { ReportCounts } from "./report-counts.js";

/** Text for Prometheus. */
export interface Exposition {
	readonly contentType: string;
	readonly text: string;
}

export interface MetricsOptions {
	readonly appId: string;
	/** Empty outside of Kubernetes. */
	readonly namespace: string;
	/** How many lines of the log were lost so far. */
	readonly logLinesDropped: () => number;
}

/** What a scrape asks of the runtime. */
export type Measured = Pick<Runtime, "components" | "health" | "appState" | "statistics">;

/** The figures of one process. Counts from its making on; everything else is looked up at a scrape. */
export class Metrics implements Disposable {
	readonly #options: MetricsOptions;
	readonly #calls = new CallRecorder();
	readonly #reports = new ReportCounts();
	readonly #lag = new EventLoopLag();
	#rendering: Promise<Exposition> | undefined;
	#render: ((snapshot: Snapshot) => Promise<Exposition>) | undefined;

	constructor(options: MetricsOptions) {
		this.#options = options;
	}

	/** Counts calls. */
	get meter(): CallMeter {
		return this.#calls;
	}

	/** Counts a report. */
	report(component: string | undefined, report: Report): void {
		this.#reports.add(component, report);
	}

	/** How everything is now. Scrapers that come meanwhile share the answer. */
	scrape(runtime: Measured): Promise<Exposition> {
		this.#rendering ??= this.#scrape(runtime).finally(() => {
			this.#rendering = undefined;
		});
		return this.#rendering;
	}

	async #scrape(runtime: Measured): Promise<Exposition> {
		// Not before somebody asks: it would add to the time to start.
		if (this.#render === undefined) {
			const { MetricsRegistry } = await import("./metrics-registry.js");
			const registry = new MetricsRegistry(this.#options.appId, this.#options.namespace);
			this.#render = (snapshot) => registry.render(snapshot);
		}
		return await this.#render(this.#snapshot(runtime));
	}

	#snapshot(runtime: Measured): Snapshot {
		const { components, appState } = runtime;
		return {
			components,
			health: runtime.health(),
			isAppReachable: appState === undefined ? undefined : appState === "open",
			bindings: runtime.statistics(),
			inputCalls: this.#calls.inputs,
			outputCalls: this.#calls.outputs,
			reports: this.#reports,
			eventLoopLagMs: this.#lag.worstMs,
			logLinesDropped: this.#options.logLinesDropped(),
		};
	}

	[Symbol.dispose](): void {
		this.#lag[Symbol.dispose]();
	}
}
