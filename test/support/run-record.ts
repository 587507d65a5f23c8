import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Names the folder in which the workers of one test run leave what the run as a whole must know at its end. */
const VARIABLE = "MQTT3_BINDING_TEST_RUN";

const PROCESS = "process-";
const LEFT_OUT = "left-out";

/** What the workers left behind. */
export interface RunRecord {
	readonly leftOut: readonly { readonly need: string; readonly suite: string }[];
	/** Processes whose end nobody saw. */
	readonly processes: readonly { readonly pid: number; readonly name: string }[];
}

/** Processes that this worker started and that still run: process id → name. */
const running = new Map<number, string>();

/** Called once, before the workers start. */
export function openRunRecord(): void {
	process.env[VARIABLE] = mkdtempSync(join(tmpdir(), "mqtt3-binding-run-"));
}

/** Called once, after the workers ended: what they left. */
export function closeRunRecord(): RunRecord {
	const folder = process.env[VARIABLE];
	delete process.env[VARIABLE];
	if (folder === undefined) return { leftOut: [], processes: [] };
	const processes = readdirSync(folder)
		.filter((file) => file.startsWith(PROCESS))
		.map((file) => ({ pid: Number(file.slice(PROCESS.length)), name: readFileSync(join(folder, file), "utf8") }));
	const notes = join(folder, LEFT_OUT);
	const leftOut = (existsSync(notes) ? readFileSync(notes, "utf8").split("\n") : [])
		.filter(Boolean)
		.map((line) => JSON.parse(line) as RunRecord["leftOut"][number]);
	rmSync(folder, { recursive: true, force: true });
	return { leftOut, processes };
}

/** Notes that a suite does not run: `need` as in `describeWith`, `suite` its name. */
export function recordLeftOut(need: string, suite: string): void {
	const folder = process.env[VARIABLE];
	if (folder !== undefined) appendFileSync(join(folder, LEFT_OUT), `${JSON.stringify({ need, suite })}\n`);
}

/** Notes a process that must be gone at the end of the test file. */
export function rememberProcess(pid: number, name: string): void {
	if (running.size === 0) process.once("exit", endRunning);
	running.set(pid, name);
	const folder = process.env[VARIABLE];
	if (folder !== undefined) writeFileSync(join(folder, PROCESS + pid), name);
}

/** The process has ended. */
export function forgetProcess(pid: number): void {
	running.delete(pid);
	if (running.size === 0) process.off("exit", endRunning);
	const folder = process.env[VARIABLE];
	if (folder !== undefined) rmSync(join(folder, PROCESS + pid), { force: true });
}

/** The names of the processes that this worker started and that still run. */
export function runningProcesses(): string[] {
	return [...running].map(([pid, name]) => `${name} (${pid})`);
}

/** Ends what this worker started and did not stop: nobody else would. */
function endRunning(): void {
	for (const pid of running.keys()) {
		try {
			process.kill(pid, "SIGKILL");
		} catch {
			// Gone already.
		}
	}
}
