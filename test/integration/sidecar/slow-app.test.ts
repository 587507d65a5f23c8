import { expect, test } from "vitest";
import { describeWith } from "../../support/left-out.js";
import { distinct, numbers, startLine, texts } from "./line.js";

describeWith("mosquitto", "an app that is slow", () => {
	test.concurrent("--app-max-concurrency and maxInFlight bound what is at the app at once, and all of it arrives", async () => {
		for (const [args, fields] of [
			[["--app-max-concurrency", "3"], {}],
			[[], { maxInFlight: 3 }],
		] as const) {
			await using line = await startLine({
				broker: { maxInflightMessages: 0 },
				app: { delayMs: [5, 15] },
				fields,
				sidecar: { args },
			});
			const { app, device } = line;
			await device.publishAll(100, (index) => ({ topic: "in/a", payload: String(index) }));
			expect(distinct(texts(await app.acceptedAtLeast(100)))).toEqual(numbers(100));
			expect(mostAtOnce(app.requests())).toBe(3);
		}
	}, 60_000);
});

/** The greatest number of requests that were at the app at the same time. */
function mostAtOnce(requests: readonly { readonly at: number; readonly answeredAt?: number }[]): number {
	const changes = requests
		.flatMap(({ at, answeredAt = Number.POSITIVE_INFINITY }) => [
			{ at, by: 1 },
			{ at: answeredAt, by: -1 },
		])
		.sort((one, other) => one.at - other.at || one.by - other.by);
	let now = 0;
	let most = 0;
	for (const { by } of changes) {
		now += by;
		most = Math.max(most, now);
	}
	return most;
}
