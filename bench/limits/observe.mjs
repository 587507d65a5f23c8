import { setTimeout as sleep } from "node:timers/promises";
import { usage } from "../processes.mjs";

/** Resident memory in MB every 100 ms, for so many seconds or until it is over; `each` hears of it once a second. */
export async function sampleMemory(pid, seconds, each, isOver = () => false) {
	const startedAt = performance.now();
	const samples = [];
	let told = -1;
	while (performance.now() - startedAt < seconds * 1_000 && !isOver()) {
		const { rssMb } = await usage(pid);
		samples.push(rssMb);
		const elapsed = Math.floor((performance.now() - startedAt) / 1_000);
		if (elapsed > told) each(elapsed, rssMb);
		told = elapsed;
		await sleep(100);
	}
	return samples;
}

/** Waits until `check` holds. Rejects after `timeoutMs`, or goes on when it need not hold because a figure will tell. */
export async function until(what, check, timeoutMs = 30_000, must = true) {
	const end = performance.now() + timeoutMs;
	while (!(await check())) {
		if (performance.now() < end) await sleep(50);
		else if (must) throw new Error(`not within ${timeoutMs} ms: ${what}`);
		else return;
	}
}
