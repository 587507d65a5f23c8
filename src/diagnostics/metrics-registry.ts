import { Counter, collectDefaultMetrics, Gauge, Histogram, type HistogramConfiguration, Registry } from "prom-client";
import type { CallRecord } from "./call-recorder.js";
import { LATENCY_BOUNDS, type LatencyHistogram } from "./latency-histogram.js";
import { METRICS, type Metric, type Snapshot } from "./metric-table.js";
import type { Exposition } from "./metrics.js";

/** Renders snapshots as Prometheus wants them, with what there is to say of the process and of Node. */
export class MetricsRegistry {
	readonly #registry = new Registry();
	readonly #fill: readonly ((snapshot: Snapshot) => void)[];

	constructor(appId: string, namespace: string) {
		this.#registry.setDefaultLabels({ app_id: appId, namespace });
		this.#fill = METRICS.map((metric) => this.#register(metric));
		collectDefaultMetrics({ register: this.#registry });
	}

	async render(snapshot: Snapshot): Promise<Exposition> {
		for (const fill of this.#fill) fill(snapshot);
		return { contentType: this.#registry.contentType, text: await this.#registry.metrics() };
	}

	#register({ name, type, labels: labelNames, help, read }: Metric): (snapshot: Snapshot) => void {
		const configuration = { name, help, labelNames, registers: [this.#registry] };
		if (type === "latencies") {
			const latencies = new Latencies({ ...configuration, buckets: [...LATENCY_BOUNDS] });
			const isInput = name.includes("_input_");
			return ({ inputCalls, outputCalls }) => latencies.show(isInput ? inputCalls : outputCalls);
		}
		const labelled = (values: readonly string[]) =>
			Object.fromEntries(labelNames.map((label, index) => [label, values[index] ?? ""]));
		if (type === "gauge") {
			const gauge = new Gauge(configuration);
			return (snapshot) => {
				gauge.reset();
				for (const [value, ...labels] of read(snapshot)) gauge.set(labelled(labels), value);
			};
		}
		const counter = new Counter(configuration);
		return (snapshot) => {
			counter.reset();
			for (const [value, ...labels] of read(snapshot)) counter.inc(labelled(labels), value);
		};
	}
}

type Shown = Awaited<ReturnType<Histogram["get"]>>;

/** A histogram whose buckets were counted elsewhere: observing through this package costs more than all else that we count for a message. */
class Latencies extends Histogram {
	readonly #name: string;
	/** Says what this one is, and has no values. */
	readonly #empty: Histogram;
	#values: Shown["values"] = [];

	constructor(configuration: HistogramConfiguration<string>) {
		super(configuration);
		this.#name = configuration.name;
		this.#empty = new Histogram({ ...configuration, registers: [] });
	}

	show(calls: readonly CallRecord[]): void {
		this.#values = calls.flatMap(({ component, operation, succeeded, failed }) => {
			const labels = { component, ...(operation !== undefined && { operation }) };
			return [
				...samples(this.#name, { ...labels, success: "true" }, succeeded),
				...samples(this.#name, { ...labels, success: "false" }, failed),
			];
		});
	}

	override async get(): Promise<Shown> {
		return { ...(await this.#empty.get()), values: this.#values };
	}

	/** What the registry asks where there is one. */
	getForPromString(): Promise<Shown> {
		return this.get();
	}
}

function samples(name: string, labels: Readonly<Record<string, string>>, histogram: LatencyHistogram): Shown["values"] {
	const buckets: Shown["values"] = [];
	let calls = 0;
	for (const [index, bound] of LATENCY_BOUNDS.entries()) {
		calls += histogram.counts[index]!;
		buckets.push({ metricName: `${name}_bucket`, labels: { ...labels, le: bound }, value: calls });
	}
	return [
		...buckets,
		{ metricName: `${name}_bucket`, labels: { ...labels, le: "+Inf" }, value: histogram.count },
		{ metricName: `${name}_sum`, labels, value: histogram.sumMs },
		{ metricName: `${name}_count`, labels, value: histogram.count },
	];
}
