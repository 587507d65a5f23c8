import { setTimeout as delay } from "node:timers/promises";

const AT_MOST_MS = 1_000;

/** Waits until what was written to the streams has left, or for a second where nobody reads it: process.exit() loses the rest. */
export async function lastWords(streams: readonly NodeJS.WritableStream[], atMostMs = AT_MOST_MS): Promise<void> {
	const written = streams.map((stream) => new Promise((resolve) => stream.write("", resolve)));
	await Promise.race([Promise.all(written), delay(atMostMs, undefined, { ref: false })]);
}
