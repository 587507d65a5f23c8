import type { CallMeter } from "../runtime/runtime.js";
import { LatencyHistogram } from "./latency-histogram.js";

/** The calls of one kind: those that went well, and the others. */
export interface CallRecord {
	readonly component: string;
	/** Of output bindings. */
	readonly operation?: string;
	readonly succeeded: LatencyHistogram;
	readonly failed: LatencyHistogram;
}

/** Keeps how often and how long bindings were called. Plain numbers: nothing is made for a call but the first of its kind. */
export class CallRecorder implements CallMeter {
	readonly #inputs = new Map<string, CallRecord>();
	readonly #outputs = new Map<string, Map<string, CallRecord>>();

	delivered(component: string, elapsedMs: number, accepted: boolean): void {
		let record = this.#inputs.get(component);
		if (record === undefined) {
			record = { component, succeeded: new LatencyHistogram(), failed: new LatencyHistogram() };
			this.#inputs.set(component, record);
		}
		(accepted ? record.succeeded : record.failed).record(elapsedMs);
	}

	invoked(component: string, operation: string, elapsedMs: number, succeeded: boolean): void {
		let record = this.#outputs.get(component)?.get(operation);
		if (record === undefined) {
			record = { component, operation, succeeded: new LatencyHistogram(), failed: new LatencyHistogram() };
			const known = this.#outputs.get(component);
			if (known === undefined) this.#outputs.set(component, new Map([[operation, record]]));
			else known.set(operation, record);
		}
		(succeeded ? record.succeeded : record.failed).record(elapsedMs);
	}

	get inputs(): readonly CallRecord[] {
		return [...this.#inputs.values()];
	}

	get outputs(): readonly CallRecord[] {
		return [...this.#outputs.values()].flatMap((operations) => [...operations.values()]);
	}
}
