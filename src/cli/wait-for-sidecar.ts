import { setTimeout as delay } from "node:timers/promises";

const TRY_EVERY_MS = 100;
const TRY_AT_MOST_MS = 60_000;
const ANSWER_WITHIN_MS = 1_000;

/** Waits until a sidecar on this machine says that callers may begin; false after a minute. */
export async function waitForSidecar(port: number, atMostMs = TRY_AT_MOST_MS): Promise<boolean> {
	const deadline = performance.now() + atMostMs;
	while (performance.now() < deadline) {
		if (await isOutboundReady(port)) return true;
		await delay(TRY_EVERY_MS);
	}
	return false;
}

async function isOutboundReady(port: number): Promise<boolean> {
	try {
		const url = `http://localhost:${port}/v1.0/healthz/outbound`;
		return (await fetch(url, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) })).ok;
	} catch {
		return false;
	}
}
