import { missedWait } from "./missed-wait.js";

/** Polls until `check` neither throws nor rejects nor returns false; rejects with its last error after `timeoutMs` (default 5 s). */
export async function eventually<T>(
	check: () => T | Promise<T>,
	{ timeoutMs = 5_000, everyMs = 10 }: { readonly timeoutMs?: number; readonly everyMs?: number } = {},
): Promise<T> {
	const deadline = performance.now() + timeoutMs;
	for (;;) {
		try {
			const result = await check();
			if (result !== false) return result;
			if (performance.now() > deadline) throw missedWait(new Error("still false"));
		} catch (error) {
			if (performance.now() > deadline) throw missedWait(error as Error);
		}
		await new Promise((resolve) => setTimeout(resolve, everyMs));
	}
}
