import { afterAll, expect } from "vitest";
import { eventually } from "./eventually.js";
import { runningProcesses } from "./run-record.js";

const KINDS = ["TCPServerWrap", "TCPSocketWrap", "PipeWrap", "ProcessWrap"];

// Runs in every test file. What the runner itself holds open is there before the tests are.
const before = openHandles();

afterAll(async () => {
	await eventually(() => expect(runningProcesses(), "processes that the tests started and left running").toEqual([]));
	await eventually(() => {
		const left = openHandles();
		for (const [kind, count] of left) {
			expect(count, `${kind} that the tests left open`).toBeLessThanOrEqual(before.get(kind) ?? 0);
		}
	});
});

function openHandles(): Map<string, number> {
	const counts = new Map<string, number>();
	for (const kind of process.getActiveResourcesInfo()) {
		if (KINDS.includes(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
	}
	return counts;
}
