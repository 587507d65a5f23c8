import { spawnSync } from "node:child_process";
import { findProgram } from "./find-program.js";
import { leftOutLines } from "./needs.js";
import { closeRunRecord, openRunRecord } from "./run-record.js";

/** Before the first test of a run: gets mosquitto where it may. */
export function setup(): void {
	openRunRecord();
	if (findProgram("mosquitto") === undefined) installMosquitto();
}

/** After the last one: says what was left out, and fails the run if a process outlived it. */
export function teardown(): void {
	const { leftOut, processes } = closeRunRecord();
	for (const line of leftOutLines(leftOut)) console.log(line);
	for (const { pid, name } of processes) {
		if (!end(pid)) continue;
		console.error(`the tests left a process running: ${name} (${pid})`);
		process.exitCode = 1;
	}
}

/** Only as root and with apt-get; the tests start mosquitto themselves, on ports of their own. */
function installMosquitto(): void {
	const apt = findProgram("apt-get");
	if (apt === undefined || process.getuid?.() !== 0) return;
	console.log("mosquitto is missing: installing it with apt-get");
	const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
	for (const args of [["update"], ["install", "-y", "mosquitto", "mosquitto-clients"]]) {
		const { status, stderr, error } = spawnSync(apt, args, { env, encoding: "utf8", timeout: 300_000 });
		if (status === 0) continue;
		console.log(`apt-get ${args.join(" ")} failed: ${(error?.message ?? stderr).trim().split("\n").at(-1)}`);
		return;
	}
}

/** Kills it; false when it was gone. */
function end(pid: number): boolean {
	try {
		return process.kill(pid, "SIGKILL");
	} catch {
		return false;
	}
}
