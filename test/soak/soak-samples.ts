import { readdirSync } from "node:fs";
import { residentMiB } from "../faults/process/figures.js";
import type { SidecarProcess } from "../support/sidecar-process.js";

/** One look at the sidecar, and at what went through since the last. NaN: it was down. */
export interface SoakSample {
	/** Seconds since the begin. */
	readonly second: number;
	readonly memoryMiB: number;
	readonly descriptors: number;
	/** Messages received and not acknowledged, and publishes without their answer. */
	readonly unacknowledged: number;
	readonly pending: number;
	/** A second. */
	readonly accepted: number;
	readonly created: number;
}

/** More than a picture shows: then two become one. */
const MOST = 2_400;

/** The samples of a run of any length. */
export class SoakSamples {
	readonly list: SoakSample[] = [];
	#every = 1;
	#taken = 0;

	add(sample: SoakSample): void {
		if (this.#taken++ % this.#every !== 0) return;
		this.list.push(sample);
		if (this.list.length < MOST) return;
		this.list.splice(0, MOST, ...this.list.filter((_, index) => index % 2 === 0));
		this.#every *= 2;
	}
}

/** What `/proc` and the metrics say of the sidecar now. */
export async function lookAt(
	sidecar: SidecarProcess,
): Promise<Pick<SoakSample, "memoryMiB" | "descriptors" | "unacknowledged" | "pending">> {
	try {
		const { pid } = sidecar;
		const [memoryMiB, descriptors] = [residentMiB(pid), readdirSync(`/proc/${pid}/fd`).length];
		const text = await sidecar.metrics();
		return {
			memoryMiB,
			descriptors,
			unacknowledged: gauge(text, "mqtt3_binding_unacknowledged"),
			pending: gauge(text, "mqtt3_binding_publishes_pending"),
		};
	} catch {
		return { memoryMiB: Number.NaN, descriptors: Number.NaN, unacknowledged: Number.NaN, pending: Number.NaN };
	}
}

function gauge(text: string, name: string): number {
	return Number(new RegExp(`^${name}\\{[^}]*\\} (\\S+)$`, "m").exec(text)?.[1] ?? Number.NaN);
}
