/** Upper bounds of the buckets in milliseconds, as in Dapr. */
// dapr: pkg/config/configuration.go, defaultLatencyDistribution.
export const LATENCY_BOUNDS: readonly number[] = [
	1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 30, 40, 50, 65, 80, 100, 130, 160, 200, 250, 300, 400, 500, 650, 800, 1_000,
	2_000, 5_000, 10_000, 20_000, 50_000, 100_000,
];

/** How long calls took, by buckets. */
export class LatencyHistogram {
	/** Calls of each bucket; the last one has what is beyond all bounds. */
	readonly counts: number[] = Array.from({ length: LATENCY_BOUNDS.length + 1 }, () => 0);
	count = 0;
	sumMs = 0;

	record(elapsedMs: number): void {
		let bucket = 0;
		while (bucket < LATENCY_BOUNDS.length && elapsedMs > LATENCY_BOUNDS[bucket]!) bucket++;
		this.counts[bucket]!++;
		this.count++;
		this.sumMs += elapsedMs;
	}
}
